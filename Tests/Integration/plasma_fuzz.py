"""Hostile clients made from valid frames, against the running object store.

    GCS_BIN=.build/release python Tests/Integration/plasma_fuzz.py --seconds 300 --seed 7

Changes what valid clients send: bits, lengths, order, descriptors, where a frame is cut. Meanwhile a
process of its own uses the store as it should be used, and watches how long it waits. What counts:
the store lives, others are served, and what the hostile clients held comes back.
"""

import argparse
import array
import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time

import programs
from plasma_wire import Raw, field, frame, listed_ids, table

SIZE = 16 << 20
FALLBACK_SIZE = 4 << 20
# Files for four times the capacity and 16 MiB, in memory and on the disk; and the pages at their ends.
FILE_BYTES_MAX = 4 * (SIZE + FALLBACK_SIZE) + 2 * (16 << 20) + (1 << 20)
# Clients that are kept open at a time.
OPEN_COUNT_MAX = 24
WATCH_PAUSE = 0.05
# Objects of the client that must be served; no hostile one knows their ids.
MINE, OTHER = programs.task_id(7, 1, 1), programs.task_id(7, 2, 1)
# A store built with AddressSanitizer is several times slower.
ANSWER_SECONDS_MAX = 5.0
NUMBERS = [
    0, 1, 2, 3, 4, 7, 8, 12, 19, 21, 24, 127, 128, 255, 256, 65535, 65536, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1, (1 << 64) - 24]


def name(number):
    return programs.task_id(42, number, 1)


# ---- valid frames


def ids(source, count_max):
    return [name(source.randrange(24)) for _ in range(source.randrange(count_max))]


def batch(source):
    names = sorted({name(source.randrange(24)) for _ in range(source.randrange(1, 12))})
    data = [b"d" * source.choice([0, 1, 100, 3000]) for _ in names]
    return table(
        names, ("B", source.randrange(2)), data, [b"meta"] * len(names), [b"12345678"] * len(names))


def valid(source):
    """A frame that the store would answer, of any kind."""
    one = name(source.randrange(24))
    size = source.choice([0, 1, 64, 1000, 100_000, 3 << 20, SIZE // 2, SIZE])
    evicts = ("B", source.randrange(2))
    kind, body = source.choice([
        lambda: (1, table(one, evicts, ("q", size), ("q", source.choice([0, 0, 9])), 0)),
        lambda: (1, table(one, evicts, ("q", size), ("q", 0), 0)),
        lambda: (3, table(one, evicts, b"x" * min(size, 1 << 20), b"meta", b"12345678")),
        lambda: (5, table(one)),
        lambda: (7, table(one, b"12345678")),
        lambda: (9, table(ids(source, 20), ("q", source.choice([0, 0, 5, 2000, -1])))),
        lambda: (11, table(one)),
        lambda: (13, (lambda some: table(len(some), some))(ids(source, 40))),
        lambda: (15, table(one)),
        lambda: (17, table()),
        lambda: (19, table()),
        lambda: (21, table(("q", source.choice([0, 1000, 1 << 22])))),
        lambda: (23, table()),
        lambda: (28, table(b"fuzz", ("q", source.choice([0, 1 << 20, 1 << 60])))),
        lambda: (30, table()),
        lambda: (32, batch(source)),
        lambda: (34, table(ids(source, 20))),
        lambda: extension(source),
    ])()
    return frame(kind, body)


def extension(source):
    """A message of our own extension, and what makes the store listen to it."""
    kind = source.choice([1000, 1000, 1000, 1002, 1004, 1006, 1008, 1010, 1012])
    numbers = [
        source.choice([0, 1, 2, 100, 1000, 1 << 22, (1 << 63) - 1, -1 << 63, -1])
        for _ in range(source.randrange(6))]
    return kind, table(numbers, ids(source, 20))


# ---- changes


def flip_bits(source, data):
    for _ in range(source.randrange(1, 9)):
        at = source.randrange(len(data))
        data[at] ^= 1 << source.randrange(8)


def put_number(source, data):
    """A telling number over a header's field or anywhere in the body."""
    size, code = source.choice([(8, "<Q"), (4, "<I"), (2, "<H"), (1, "<B")])
    number = source.choice(NUMBERS) & ((1 << 8 * size) - 1)
    at = source.choice([0, 8, 16, 24, 28]) if source.random() < 0.4 else source.randrange(len(data))
    if at + size <= len(data):
        struct.pack_into(code, data, at, number)


def shift_number(source, data):
    """An offset or a length that is a little wrong."""
    at = source.randrange(6, max(7, len(data) // 4)) * 4
    if at + 4 <= len(data):
        number, = struct.unpack_from("<I", data, at)
        struct.pack_into("<I", data, at, (number + source.randrange(-8, 9)) & 0xffffffff)


def cut(source, data):
    del data[source.randrange(len(data)):]


def cut_and_say_so(source, data):
    """A body that ends early under a header that agrees."""
    if len(data) > 25:
        del data[source.randrange(24, len(data)):]
        struct.pack_into("<q", data, 16, len(data) - 24)


def insert(source, data):
    at = source.randrange(len(data) + 1)
    data[at:at] = source.randbytes(source.choice([1, 4, 8, 100]))


def lengthen(source, data):
    data += source.randbytes(source.choice([1, 8, 4000]))
    if len(data) >= 24:
        struct.pack_into("<q", data, 16, len(data) - 24)


def splice(source, data):
    """The rest of the body comes from another frame."""
    other = valid(source)
    at = source.randrange(24, len(data) + 1) if len(data) > 24 else len(data)
    data[at:] = other[min(at, len(other)):]
    if source.random() < 0.7 and len(data) >= 24:
        struct.pack_into("<q", data, 16, len(data) - 24)


def change_type(source, data):
    if len(data) >= 16:
        struct.pack_into("<q", data, 8, source.choice([*range(36), *range(1000, 1014), -1, 1 << 40]))


CHANGES = [
    flip_bits, put_number, put_number, shift_number, shift_number, cut, cut_and_say_so, insert,
    lengthen, splice, change_type]


def bytes_to_send(source):
    """A few frames, of which some are changed, doubled or swapped."""
    frames = [bytearray(valid(source)) for _ in range(source.randrange(1, 7))]
    for data in frames:
        if source.random() < 0.4:
            for _ in range(source.choice([1, 1, 2, 4])):
                if data:
                    source.choice(CHANGES)(source, data)
    if source.random() < 0.2:
        frames += source.choices(frames, k=source.randrange(1, 4))
    if source.random() < 0.2:
        source.shuffle(frames)
    return b"".join(frames)


# ---- hostile clients


def descriptors(source, own, ends):
    """Open files to pass, and those to close afterwards; `ends` are for other clients to pass."""
    kind = source.randrange(10)
    if kind == 0:
        near, far = socket.socketpair()
        far.setblocking(source.random() < 0.5)
        return [far.fileno()], [near, far]
    if kind == 1:
        file = open("/dev/null", "r+b")
        return [file.fileno()] * source.choice([1, 2, 7, 9, 100, 253]), [file]
    if kind == 2:
        ends = [os.fdopen(one, mode) for one, mode in zip(os.pipe(), ("rb", "wb"))]
        return [source.choice(ends).fileno()], ends
    if kind == 3:
        return [own.fileno()], []
    if kind == 4:
        near, far = socket.socketpair()
        near.close()
        return [far.fileno()] * source.choice([1, 2]), [far]
    if kind == 5:
        listening = socket.socket()
        return [listening.fileno()], [listening]
    if kind == 6:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        return [far.fileno()], [near, far]
    if kind == 7:
        # The sender's own end waits in the queue of what it passes.
        near, far = socket.socketpair(
            socket.AF_UNIX, source.choice([socket.SOCK_STREAM, socket.SOCK_SEQPACKET]))
        if source.random() < 0.5:
            near.send(b"")
        near.sendmsg([b"x"], rights([own.fileno()]))
        return [far.fileno()], [near, far]
    if not ends:
        ends += socket.socketpair()
    # Both ends of a pair come from two clients, or from one.
    end = ends.pop()
    if source.random() < 0.3:
        with contextlib.suppress(OSError):
            end.sendmsg([b"x"], rights([own.fileno()]), socket.MSG_DONTWAIT)
    return [end.fileno()], [end]


def rights(numbers):
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))]


class Hostile:
    """One connection; sends now and then, and reads only sometimes."""

    def __init__(self, source, path, ends):
        self.source = source
        self.ends = ends
        self.kept = []
        self.unsent = b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.setblocking(False)

    def act(self):
        """Does one thing; `False` when the connection is over."""
        source = self.source
        try:
            what = source.random()
            if what < 0.5:
                self.send(bytes_to_send(source))
            elif what < 0.7:
                self.pass_descriptors()
            elif what < 0.9:
                with contextlib.suppress(BlockingIOError):
                    return bool(self.socket.recv(source.choice([1, 24, 1 << 16])))
            elif what < 0.92:
                self.socket.shutdown(socket.SHUT_WR)
                return source.random() < 0.5
            elif what < 0.97:
                return False
        except OSError:
            return False
        return True

    def send(self, data):
        data = self.unsent + data
        end = self.source.randrange(len(data) + 1) if self.source.random() < 0.3 else len(data)
        with contextlib.suppress(BlockingIOError):
            end = self.socket.send(data[:end])
        self.unsent = data[end:][:4 << 20]

    def pass_descriptors(self):
        """As a part of Subscribe, or where nobody asked for one."""
        numbers, files = descriptors(self.source, self.socket, self.ends)
        if self.source.random() < 0.7:
            self.send(frame(23, table()))
        data = self.source.choice([b"\0", b"\0", b"xy", valid(self.source)])
        with contextlib.suppress(BlockingIOError):
            self.socket.sendmsg([data], rights(numbers))
        if self.source.random() < 0.3 and len(self.kept) < 4:
            self.kept += files
        else:
            close(files)

    def close(self):
        self.socket.close()
        close(self.kept)


def close(files):
    for file in files:
        with contextlib.suppress(OSError):
            file.close()


# ---- the client that must be served


class Watcher:
    """A client in a process of its own; at rest it holds one object, which it uses."""

    def __init__(self, store):
        self.begins, self.stops, self.ends = (multiprocessing.Event() for _ in range(3))
        self.results = multiprocessing.Queue()
        self.process = multiprocessing.Process(target=self.run, args=(store,), daemon=True)
        self.process.start()
        said = self.results.get(timeout=30)
        assert said == "ready", said

    def begin(self):
        self.begins.set()

    def check(self):
        """Fails when it was not served."""
        assert self.results.empty(), f"the other client was not served: {self.results.get()}"

    def rest(self):
        """Ends its rounds; how many there were, and the longest wait."""
        self.stops.set()
        said = self.results.get(timeout=30)
        assert isinstance(said, tuple), f"the other client was not served: {said}"
        return said

    def end(self):
        self.ends.set()
        said = self.results.get(timeout=30)
        assert said == "its object is as it was", said
        self.process.join()

    def run(self, store):
        """Uses the store from `begin` to `rest`; reports what came of it, or what went wrong."""
        self.count, self.longest = 0, 0.0
        try:
            raw = Raw(store)
            raw.socket.settimeout(ANSWER_SECONDS_MAX)
            reply = raw.ask(3, table(MINE, ("B", 0), b"precious", b"meta", b"12345678"))
            assert reply[0] == 4, reply
            file = pin(raw, MINE)
            self.results.put("ready")
            self.begins.wait()
            while not self.stops.is_set():
                self.ask_once(raw)
                check_bytes(file)
                time.sleep(WATCH_PAUSE)
            self.results.put((self.count, self.longest))
            self.ends.wait()
            check_bytes(file)
            self.results.put("its object is as it was")
        except Exception as error:  # noqa: BLE001: whatever it was is what has to be told
            self.results.put(f"after {self.count} rounds: {error!r}")

    def ask_once(self, raw):
        begin = time.monotonic()
        assert raw.ask(15, table(MINE))[0] == 16
        # One that may evict could have to wait for a node manager, which a hostile one may be.
        kind, _ = raw.ask(3, table(OTHER, ("B", 0), b"y" * 500, b"", b"12345678"))
        assert kind == 4, kind
        kind, _ = raw.ask(13, table(1, [OTHER]))
        assert kind == 14, kind
        self.longest = max(self.longest, time.monotonic() - begin)
        self.count += 1


def check_bytes(file):
    descriptor, offset = file
    assert os.pread(descriptor, 12, offset) == b"preciousmeta", "its object has changed"


def pin(raw, one):
    """Uses an object from now on; the descriptor and the offset of its bytes."""
    kind, body = raw.ask(9, table([one], ("q", 0)))
    assert kind == 10, kind
    _, rights, _, _ = raw.socket.recvmsg(1, socket.CMSG_SPACE(4))
    descriptor, = struct.unpack("<i", rights[0][2][:4])
    vector = body_vector(body, 1)
    # A place: the segment, then the offset.
    offset, = struct.unpack_from("<Q", body, vector + 8)
    return descriptor, offset


def body_vector(body, slot):
    """Where the first element of a vector is."""
    at = field(body, slot)
    return at + struct.unpack_from("<I", body, at)[0] + 4


# ---- a run


class State:
    """What must not grow."""

    def __init__(self, store):
        self.open = open_files(store)
        files = [status for target, status in self.open.values() if is_object_file(target)]
        self.descriptors = len(self.open) - len(files)
        self.files = len(files)
        self.mapped = sum(status.st_blocks * 512 for status in files)
        self.file_bytes = sum(status.st_size for status in files)
        facts = dict(re.findall(r"^(\w+) (\d+)", debug_text(store), re.MULTILINE))
        self.objects, self.used = int(facts["objects"]), int(facts["used"])

    def __str__(self):
        return (f"{self.objects} objects of {self.used} bytes, {self.mapped} bytes in "
                f"{self.files} object files, {self.descriptors} other descriptors")

    def is_as(self, before):
        """Whether nothing is left over.

        Object files stay as long as the store runs, by design: what counts is the memory in them.
        """
        return (self.descriptors <= before.descriptors and self.objects == before.objects
                and self.used == before.used and self.mapped <= before.mapped + (1 << 20))


def open_files(store):
    """What the descriptors are: the target and the status of each."""
    found = {}
    for link in pathlib.Path(f"/proc/{store.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(link.name)] = os.readlink(link), os.stat(link)
    return found


def is_object_file(target):
    return "plasma" in target and "deleted" in target


def told(store, state):
    """All that is open, and the local sockets as the system knows them."""
    lines = [f"{number} {target}" for number, (target, _) in sorted(state.open.items())]
    with contextlib.suppress(OSError):
        sockets = subprocess.run(["ss", "-xapn"], capture_output=True, text=True, check=False)
        lines += [line for line in sockets.stdout.splitlines() if f"pid={store.process.pid}," in line]
    return "\n".join([*lines, debug_text(store)])


def debug_text(store):
    raw = Raw(store)
    _, body = raw.ask(30, table())
    raw.close()
    return body.decode("latin-1").replace("\0", "\n")


def hurt(store, source, seconds, alive):
    """Hostile clients for so long; how many there were, and what they did."""
    clients, ends, opened, acted = [], [], 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if len(clients) < OPEN_COUNT_MAX and (not clients or source.random() < 0.4):
            clients.append(Hostile(source, store.socket, ends))
            opened += 1
        client = source.choice(clients)
        acted += 1
        if not client.act():
            client.close()
            clients.remove(client)
        if acted % 50 == 0:
            assert store.is_running(), f"the store ended: {store.process.poll()}"
            alive()
    for client in clients:
        client.close()
    close(ends)
    return opened, acted


def delete_all_but(store, kept):
    raw = Raw(store)
    _, body = raw.ask(17, table())
    names = [one for one in listed_ids(body) if one not in kept]
    raw.ask(13, table(len(names), names))
    raw.close()


def wait_for(store, before):
    """Until everything is as it was; the last state seen."""
    end = time.monotonic() + 15
    while True:
        after = State(store)
        if after.is_as(before):
            return after
        assert time.monotonic() < end, (
            f"before: {before}; 15 s afterwards: {after}\n{told(store, after)}")
        delete_all_but(store, [MINE, OTHER])
        time.sleep(0.1)


def fuzz(store, seed, seconds):
    """One run against a store that was just started; prints what it came to."""
    print(f"SEED={seed}", flush=True)
    watcher = Watcher(store)
    before = State(store)
    watcher.begin()
    opened, acted = hurt(store, random.Random(seed), seconds, watcher.check)
    assert store.is_running(), f"the store ended: {store.process.poll()}"
    count, longest = watcher.rest()
    after = wait_for(store, before)
    watcher.end()
    print(f"{opened} hostile clients did {acted} things in {seconds:.0f} s; the other client asked "
          f"{3 * count} times and waited at most {longest * 1000:.1f} ms")
    print(f"before: {before}; afterwards: {after}")
    assert after.file_bytes <= FILE_BYTES_MAX, f"object files have {after.file_bytes} bytes"
    assert count > seconds / 0.1 * 0.5, f"only {count} rounds of the other client"
    assert store.stop(signal.SIGTERM) == 0, store.log_text()[-4000:]
    assert "AddressSanitizer" not in store.log_text(), store.log_text()[-8000:]
    print("the store ended cleanly")


def store_of(seed, directory):
    """With even seeds one with an external store and a fallback file, otherwise a plain one."""
    store = programs.Store(directory, size=SIZE)
    if seed % 2 == 0:
        store.args += [
            "-e", f"{directory}/external", "--fallback-bytes", str(FALLBACK_SIZE), "--fallback-dir",
            str(directory)]
    return store


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=300)
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(1 << 32)
    with tempfile.TemporaryDirectory() as directory:
        store = store_of(seed, directory).start()
        try:
            fuzz(store, seed, given.seconds)
        except BaseException:
            programs.report(store)
            print(f"again with SEED={seed}")
            raise
        finally:
            store.kill()


if __name__ == "__main__":
    main()
