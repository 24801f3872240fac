"""Our object store and Arrow's, side by side: see README.md."""

import argparse
import contextlib
import datetime
import multiprocessing
import os
import pathlib
import platform
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings

warnings.simplefilter("ignore")

import pyarrow  # noqa: E402
from pyarrow import plasma  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests" / "Integration"))

from plasma_wire import table  # noqa: E402

OPTIONS = argparse.ArgumentParser(description=__doc__)
OPTIONS.add_argument("store", help="our plasma-store")
OPTIONS.add_argument("--other", help="compare with this store instead of Arrow's")
OPTIONS.add_argument("--rounds", type=int, default=60, help="of the single calls")
OPTIONS.add_argument("--long-rounds", type=int, default=5, help="of List, Delete and memory")
OPTIONS.add_argument(
    "--realtime", action=argparse.BooleanOptionalAction,
    help="stores and the one that waits run ahead of everything else; by default where the system "
    "allows it")

CALLS = 100
OBJECTS = 100_000
# The paired ratio of a store with itself stays within this (README.md).
RESOLUTION = 1.03
WAIT_MAX = 2.0
# Milliseconds of the processor between two looks at the clients.
TURN_MAX = 0.5
MEMORY_MAX = 16.0
REALTIME = {
    True: "long requests in realtime: store and the one that waits ahead of everything else",
    False: "not realtime: what else runs here counts in the waits"}
# Seconds after the last delete in which the memory comes back.
GIVE_BACK = 2.0


def name(number):
    return (42).to_bytes(8, "big") + number.to_bytes(8, "big") + b"\x80\0\0\1"


class Running:
    """A store process."""

    def __init__(self, program, size, realtime, *flags):
        self.directory = tempfile.TemporaryDirectory()
        self.path = f"{self.directory.name}/store"
        self.process = subprocess.Popen(
            [program, "-s", self.path, "-m", str(size), *flags], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        while not os.path.exists(self.path):
            time.sleep(0.01)
        time.sleep(0.1)
        set_realtime(realtime, self.process.pid, 2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.directory.cleanup()

    def processor(self):
        """Microseconds that its one thread has run."""
        place = pathlib.Path(f"/proc/{self.process.pid}/schedstat")
        return int(place.read_text().split()[0]) / 1000

    def file_megabytes(self):
        """Memory that its object files take."""
        total = 0
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(link)
                if "plasma" in target and "deleted" in target:
                    total += os.stat(link).st_blocks * 512
        return total / (1 << 20)


def set_realtime(is_realtime, pid, priority):
    """In a realtime run: nobody else on the machine delays this process."""
    if is_realtime:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(priority))


def may_be_realtime():
    """Whether the system lets this process and its children go ahead of others."""
    try:
        set_realtime(True, 0, 1)
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


# ---- single calls, in turns


def timed(body, arguments):
    times = []
    for one in arguments:
        begin = time.perf_counter_ns()
        body(one)
        times.append((time.perf_counter_ns() - begin) / 1000)
    return times


def puts(client, value, count):
    """Puts and deletes so often; microseconds of each put."""
    times = []
    for _ in range(count):
        one = plasma.ObjectID.from_random()
        times += timed(lambda one: client.put_raw_buffer(value, one), [one])
        client.delete([one])
    return times


CASES = {
    "Create + Seal, 100 B": lambda client, ids: timed(
        lambda one: (client.create(one, 100), client.seal(one)), ids),
    "Contains": lambda client, ids: timed(client.contains, ids),
    "Get + Release": lambda client, ids: timed(lambda one: client.get_buffers([one]), ids),
    "Delete 1": lambda client, ids: timed(lambda one: client.delete([one]), ids),
    "CreateAndSeal, 100 B": lambda client, ids: timed(
        lambda one: client.create_and_seal(one, b"x" * 100, b""), ids),
    "put 1 MB": lambda client, ids: (client.delete(ids), puts(client, b"x" * (1 << 20), 10))[1],
}


def single_calls(programs, options, found):
    """All calls on one store, then on the other, and so on: each round is one pair.

    Never in realtime: the stores would go ahead of the client that is measured.
    """
    with contextlib.ExitStack() as stack:
        stores = {
            who: stack.enter_context(Running(program, 1 << 30, False))
            for who, program in programs.items()}
        clients = {who: plasma.connect(store.path) for who, store in stores.items()}
        ids = [plasma.ObjectID(name(number)) for number in range(CALLS)]
        large = b"x" * (100 << 20)
        for number in range(options.rounds + 1):
            for label, body in CASES.items():
                for who in turns(programs, number):
                    before = stores[who].processor()
                    times = body(clients[who], ids)
                    used = (stores[who].processor() - before) / len(times)
                    note(found, who, label, number, times, used)
            for who in turns(programs, number) if number % 3 == 0 else []:
                note(found, who, "put 100 MB", number, puts(clients[who], large, 5), None)


def turns(programs, number):
    return list(programs) if number % 2 == 0 else list(reversed(programs))


def note(found, who, label, number, times, used):
    """Keeps a round; the first is only to warm up."""
    if number > 0:
        found[who].setdefault(label, []).append((statistics.median(times), sorted(times), used))


# ---- long requests


def frame(kind, body):
    return struct.pack("<qqq", 0, kind, len(body)) + body


EMPTY = struct.pack("<IHHi", 8, 4, 4, 4)


def delete_body(ids):
    """A table of a count and a vector of ids."""
    count = len(ids)
    head = struct.pack("<I", 16) + struct.pack("<HH", 0, 0) + struct.pack(
        "<HHHH", 8, 12, 4, 8) + struct.pack("<ii", 8, count) + struct.pack("<I", 4)
    strings = b"".join(struct.pack("<I", 20) + one + b"\0\0\0\0" for one in ids)
    offsets = struct.pack(f"<{count}I", *(4 * (count - i) + 28 * i for i in range(count)))
    return head + struct.pack("<I", count) + offsets + strings


def one_id_body(one):
    return struct.pack("<I", 12) + b"\0\0" + struct.pack("<HHH", 6, 8, 4) + struct.pack(
        "<iI", 6, 4) + struct.pack("<I", 20) + one + b"\0\0\0\0"


class Bare:
    """A client over a bare socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def read(self, count):
        data = bytearray(count)
        view = memoryview(data)
        while view:
            view = view[self.socket.recv_into(view):]
        return data

    def ask(self, message):
        self.socket.sendall(message)
        _, kind, length = struct.unpack("<qqq", self.read(24))
        return kind, self.read(length)


def probe(path, is_realtime, stop, results):
    """Asks Contains again and again; reports the number of answers and the longest wait."""
    set_realtime(is_realtime, 0, 1)
    # The probe of a realtime run must leave time to the one that reads the long reply.
    pause = 0.0002 if is_realtime else 0.00002
    client = Bare(path)
    question = frame(15, one_id_body(name(1 << 40)))
    waits = []
    client.ask(question)
    results.put("ready")
    while not stop.is_set():
        for _ in range(10):
            begin = time.perf_counter_ns()
            client.ask(question)
            waits.append(time.perf_counter_ns() - begin)
            time.sleep(pause)
    results.put((len(waits), max(waits)))


def beside_probe(path, is_realtime, body):
    """Runs `body` while another process asks; its milliseconds, and the other's longest wait."""
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    process = multiprocessing.Process(target=probe, args=(path, is_realtime, stop, results))
    process.start()
    results.get()
    begin = time.perf_counter()
    body()
    seconds = time.perf_counter() - begin
    stop.set()
    _, longest = results.get()
    process.join()
    return seconds * 1000, longest / 1e6


def fill(path):
    client = Bare(path)
    for first in range(0, OBJECTS, 10_000):
        names = [name(number) for number in range(first, first + 10_000)]
        several = len(names)
        client.ask(frame(32, table(
            names, ("B", 1), [b"x" * 100] * several, [b""] * several, [b"12345678"] * several)))


def subscribe(path):
    """Starts a client that reads notifications, and one call that ends it."""
    client = plasma.connect(path)
    client.subscribe()
    reader = client.get_notification_socket()

    def read():
        while reader.recv(1 << 16):
            pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()

    def end():
        reader.shutdown(socket.SHUT_RDWR)
        thread.join()
        reader.close()

    return end


def longest_turn(client):
    """Milliseconds of the processor of the store's longest turn since the last call."""
    _, body = client.ask(frame(30, EMPTY))
    found = re.search(rb"longest turn (\d+) us", body)
    return int(found[1]) / 1000


def turns_of_long_requests(program, options, found):
    """The same requests with our store's turns measured, beside a subscriber that reads."""
    with Running(program, 1 << 30, options.realtime, "--measure-turns") as store:
        end = subscribe(store.path)
        client = Bare(store.path)
        longest_turn(client)
        for label, body in {
                "Fill": lambda: fill(store.path),
                "List": lambda: client.ask(frame(17, EMPTY)),
                "Delete": lambda: client.ask(
                    frame(13, delete_body([name(number) for number in range(OBJECTS)])))}.items():
            body()
            found.setdefault(f"{label} longest turn, processor, ms", []).append(
                longest_turn(client))
        end()


def long_requests(program, options, found):
    with Running(program, 1 << 30, options.realtime) as store:
        def add(label, total, longest):
            found.setdefault(f"{label} total, ms", []).append(total)
            found.setdefault(f"{label} wait, ms", []).append(longest)

        fill(store.path)
        _, longest = beside_probe(store.path, options.realtime, lambda: time.sleep(0.1))
        found.setdefault("idle wait, ms", []).append(longest)
        client = Bare(store.path)
        message = frame(17, EMPTY)
        add("List", *beside_probe(store.path, options.realtime, lambda: client.ask(message)))
        message = frame(13, delete_body([name(number) for number in range(OBJECTS)]))
        add("Delete", *beside_probe(store.path, options.realtime, lambda: client.ask(message)))
        _, rows = client.ask(frame(17, EMPTY))
        assert len(rows) < 200, "not all were deleted"


def memory(program, options, found):
    with Running(program, 256 << 20, options.realtime) as store:
        client = plasma.connect(store.path)
        ids = [client.put_raw_buffer(b"x" * 1_000_000) for _ in range(200)]
        found.setdefault("files, full, MiB", []).append(store.file_megabytes())
        client.delete(ids)
        time.sleep(GIVE_BACK)
        found.setdefault("files, empty, MiB", []).append(store.file_megabytes())


# ---- the report


def main():
    options = OPTIONS.parse_args()
    if options.realtime is None:
        options.realtime = may_be_realtime()
    arrow = pathlib.Path(pyarrow.__file__).parent / "plasma-store-server"
    programs = {"ours": options.store, "arrow": options.other or str(arrow)}
    calls = {who: {} for who in programs}
    long = {who: {} for who in programs}
    single_calls(programs, options, calls)
    for number in range(options.long_rounds):
        for who in turns(programs, number):
            long_requests(programs[who], options, long[who])
            memory(programs[who], options, long[who])
        turns_of_long_requests(options.store, options, long["ours"])
    heading(options)
    verdicts = report_calls(calls)
    verdicts += report_long(long)
    print(f"\n{sum(verdicts)} of {len(verdicts)} reached")
    sys.exit(0 if all(verdicts) else 1)


def heading(options):
    today = datetime.date.today().isoformat()
    print(f"# {today}, {os.cpu_count()}-core {platform.machine()} virtual machine\n")
    print(f"{options.rounds} rounds of {CALLS} calls in turns, {options.long_rounds} of the long "
          f"requests; {REALTIME[options.realtime]}; load of the machine "
          f"{os.getloadavg()[0]:.1f} at the end."
          + (f" Arrow's store replaced by {options.other}." if options.other else ""))


def row(*cells):
    print("| " + " | ".join(
        one if isinstance(one, str) else "" if one is None else f"{one:,.2f}" for one in cells)
        + " |")


def verdict(is_reached):
    return "ok" if is_reached else "**NOT REACHED**"


def report_calls(found):
    print()
    row("call, µs", "ours", "Arrow", "ours / Arrow", "p99 ours", "p99 Arrow",
        "processor, ours", "processor, Arrow", f"not slower (at most {RESOLUTION})")
    row(*["---"] * 9)
    reached = []
    for label, ours in found["ours"].items():
        theirs = found["arrow"][label]
        ratio = statistics.median(mine[0] / other[0] for mine, other in zip(ours, theirs))
        numbers = [
            statistics.median(one[0] for one in ours), statistics.median(one[0] for one in theirs),
            ratio]
        for rounds in (ours, theirs):
            every = sorted(one for round in rounds for one in round[1])
            numbers.append(every[len(every) * 99 // 100])
        for rounds in (ours, theirs):
            used = [one[2] for one in rounds if one[2] is not None]
            numbers.append(statistics.median(used) if used else None)
        reached.append(ratio <= RESOLUTION)
        row(label, *numbers, verdict(reached[-1]))
    return reached


def report_long(found):
    print()
    row(f"{OBJECTS:,} objects", "ours, each round", "Arrow, each round", "limit", "")
    row(*["---"] * 5)
    reached = []
    for label, ours in found["ours"].items():
        theirs = found["arrow"].get(label, [])
        middle = statistics.median(ours)
        limit, is_reached = "", None
        if "total" in label:
            limit = "Arrow's median"
            is_reached = middle <= RESOLUTION * statistics.median(theirs)
        elif "wait" in label and "idle" not in label:
            limit, is_reached = f"median {WAIT_MAX}", middle < WAIT_MAX
        elif "turn" in label:
            limit, is_reached = f"{TURN_MAX}", max(ours) < TURN_MAX
        elif "empty" in label:
            limit = f"{MEMORY_MAX} after {GIVE_BACK} s"
            is_reached = max(ours) <= MEMORY_MAX
        row(label, *(" / ".join(f"{one:,.2f}" for one in rounds) for rounds in (ours, theirs)),
            limit, "" if is_reached is None else verdict(is_reached))
        if is_reached is not None:
            reached.append(is_reached)
    return reached


if __name__ == "__main__":
    main()
