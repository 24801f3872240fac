"""Our object store and Arrow's, side by side: see README.md."""

import contextlib
import datetime
import multiprocessing
import os
import pathlib
import platform
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")

import pyarrow  # noqa: E402
from pyarrow import plasma  # noqa: E402

ROUNDS = 3
REALTIME = "--realtime" in sys.argv
# The probe of a realtime run must leave time to the one that reads the long reply.
PAUSE = 0.0002 if REALTIME else 0.00002
CALLS = 5000
OBJECTS = 100_000


@contextlib.contextmanager
def running(program, size):
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/store"
        process = subprocess.Popen(
            [program, "-s", path, "-m", str(size)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        while not os.path.exists(path):
            time.sleep(0.01)
        time.sleep(0.1)
        realtime(process.pid, 2)
        try:
            yield path, process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def realtime(pid, priority):
    """In a realtime run: nobody else on the machine delays this process. Needs root."""
    if REALTIME:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(priority))


def name(number):
    return (42).to_bytes(8, "big") + number.to_bytes(8, "big") + b"\x80\0\0\1"


# ---- a bare client


def frame(kind, body):
    return struct.pack("<qqq", 0, kind, len(body)) + body


EMPTY = struct.pack("<IHHi", 8, 4, 4, 4)


def ids_body(ids, with_count):
    """A table of a count (when asked for) and a vector of ids."""
    count = len(ids)
    if with_count:
        head = struct.pack("<I", 16) + struct.pack("<HH", 0, 0) + struct.pack(
            "<HHHH", 8, 12, 4, 8) + struct.pack("<ii", 8, count) + struct.pack("<I", 4)
    else:
        head = struct.pack("<I", 12) + struct.pack("<H", 0) + struct.pack(
            "<HHH", 6, 8, 4) + struct.pack("<i", 6) + struct.pack("<I", 4)
    strings = b"".join(struct.pack("<I", 20) + one + b"\0\0\0\0" for one in ids)
    offsets = struct.pack(f"<{count}I", *(4 * (count - i) + 28 * i for i in range(count)))
    return head + struct.pack("<I", count) + offsets + strings


def one_id_body(one):
    return struct.pack("<I", 12) + b"\0\0" + struct.pack("<HHH", 6, 8, 4) + struct.pack(
        "<iI", 6, 4) + struct.pack("<I", 20) + one + b"\0\0\0\0"


class Bare:
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


def probe(path, stop, results):
    """Asks Contains again and again; reports the number of answers and the longest wait."""
    realtime(0, 1)
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
            time.sleep(PAUSE)
    results.put((len(waits), max(waits)))


def beside_probe(path, body):
    """Runs `body` while another process asks; its seconds, and the other's longest wait in ms."""
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    process = multiprocessing.Process(target=probe, args=(path, stop, results))
    process.start()
    results.get()
    begin = time.perf_counter()
    body()
    seconds = time.perf_counter() - begin
    stop.set()
    _, longest = results.get()
    process.join()
    return seconds, longest / 1e6


# ---- what is measured


def processor(process):
    """Nanoseconds that the store's one thread has run."""
    return int(pathlib.Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])


def calls(program, found):
    with running(program, 1 << 30) as (path, process):
        client = plasma.connect(path)
        ids = [plasma.ObjectID(name(number)) for number in range(CALLS)]

        def each(label, body):
            times, before = [], processor(process)
            for one in ids:
                begin = time.perf_counter_ns()
                body(one)
                times.append((time.perf_counter_ns() - begin) / 1000)
            found.setdefault(label, []).extend(times)
            used = (processor(process) - before) / 1000 / len(ids)
            found.setdefault("processor", {}).setdefault(label, []).append(used)

        each("Create + Seal, 100 B", lambda one: (client.create(one, 100), client.seal(one)))
        each("Contains", client.contains)
        each("Get + Release", lambda one: client.get_buffers([one]))
        each("Delete 1", lambda one: client.delete([one]))
        each("CreateAndSeal, 100 B", lambda one: client.create_and_seal(one, b"x" * 100, b""))
        client.delete(ids)
        megabyte = b"x" * (1 << 20)
        for _ in range(300):
            one = plasma.ObjectID.from_random()
            begin = time.perf_counter_ns()
            client.put_raw_buffer(megabyte, one)
            found.setdefault("put 1 MB", []).append((time.perf_counter_ns() - begin) / 1000)
            client.delete([one])
        large = b"x" * (100 << 20)
        for _ in range(5):
            one = plasma.ObjectID.from_random()
            begin = time.perf_counter_ns()
            client.put_raw_buffer(large, one)
            found.setdefault("put 100 MB", []).append((time.perf_counter_ns() - begin) / 1000)
            client.delete([one])


def fill(path):
    client = plasma.connect(path)
    for first in range(0, OBJECTS, 1000):
        for number in range(first, first + 1000):
            client.create_and_seal(plasma.ObjectID(name(number)), b"x" * 100, b"")


def long_requests(program, found):
    with running(program, 1 << 30) as (path, _):
        fill(path)
        _, longest = beside_probe(path, lambda: time.sleep(0.3))
        found.setdefault("idle wait", []).append(longest)
        client = Bare(path)
        message = frame(17, EMPTY)
        seconds, longest = beside_probe(path, lambda: client.ask(message))
        found.setdefault("List total", []).append(seconds * 1000)
        found.setdefault("List wait", []).append(longest)
        message = frame(13, ids_body([name(number) for number in range(OBJECTS)], True))
        seconds, longest = beside_probe(path, lambda: client.ask(message))
        found.setdefault("Delete total", []).append(seconds * 1000)
        found.setdefault("Delete wait", []).append(longest)
        _, rows = client.ask(frame(17, EMPTY))
        assert len(rows) < 200, "not all were deleted"


def object_files(pid):
    total = 0
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(link)
            if "plasma" in target and "socket" not in target:
                total += os.stat(link).st_blocks * 512
    return total / (1 << 20)


def memory(program, found):
    with running(program, 256 << 20) as (path, process):
        client = plasma.connect(path)
        ids = [client.put_raw_buffer(b"x" * 1_000_000) for _ in range(200)]
        found.setdefault("files, full", []).append(object_files(process.pid))
        client.delete(ids)
        time.sleep(2)
        found.setdefault("files, empty", []).append(object_files(process.pid))


def main():
    arrow = pathlib.Path(pyarrow.__file__).parent / "plasma-store-server"
    programs = {"ours": sys.argv[1], "arrow": str(arrow)}
    found = {label: {} for label in programs}
    for number in range(ROUNDS):
        order = list(programs) if number % 2 == 0 else list(reversed(programs))
        for label in order:
            calls(programs[label], found[label])
            long_requests(programs[label], found[label])
            memory(programs[label], found[label])
    report(found)


def report(found):
    today = datetime.date.today().isoformat()
    print(f"# {today}, {os.cpu_count()}-core {platform.machine()} virtual machine\n")
    print(f"{ROUNDS} rounds in turns; {'realtime; ' if REALTIME else ''}load of the machine "
          f"{os.getloadavg()[0]:.1f} at the end.\n")
    print("| call, µs | ours p50 | Arrow p50 | ours p99 | Arrow p99 "
          "| ours, processor | Arrow, processor |")
    print("|---|---|---|---|---|---|---|")
    for label in [one for one in found["ours"] if isinstance(found["ours"][one], list)]:
        ours, theirs = sorted(found["ours"][label]), sorted(found["arrow"][label])
        if len(ours) <= 2 * ROUNDS:
            continue
        numbers = [
            statistics.median(ours), statistics.median(theirs),
            ours[len(ours) * 99 // 100], theirs[len(theirs) * 99 // 100]]
        for who in ("ours", "arrow"):
            used = found[who]["processor"].get(label)
            numbers.append(statistics.median(used) if used else None)
        cells = [f"{one:,.1f}" if one is not None else "" for one in numbers]
        print(f"| {label} | " + " | ".join(cells) + " |")
    print(f"\n| {OBJECTS:,} objects | ours (each round) | Arrow (each round) |")
    print("|---|---|---|")
    for label, unit in [
            ("List total", "ms"), ("List wait", "ms"), ("Delete total", "ms"),
            ("Delete wait", "ms"), ("idle wait", "ms"), ("files, full", "MiB"),
            ("files, empty", "MiB")]:
        cells = [
            " / ".join(f"{one:,.2f}" for one in found[who][label]) for who in ("ours", "arrow")]
        print(f"| {label}, {unit} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
