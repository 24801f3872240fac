"""Random sizes against the running store, 90 % full: see ../README.md.

    python Benchmarks/plasma/fragmentation/store.py .build/release/plasma-store --seconds 600
"""

import argparse
import contextlib
import math
import mmap
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "Tests" / "Integration"))

from plasma_wire import Raw, field, frame, table  # noqa: E402

OPTIONS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
OPTIONS.add_argument("store", help="our plasma-store")
OPTIONS.add_argument("--seconds", type=float, default=600)
OPTIONS.add_argument("--seed", type=int, default=None)
OPTIONS.add_argument("--megabytes", type=int, default=256, help="the store's capacity")

LARGEST = 8 << 20
FULL = 0.9
# A perfect packer of the free bytes less 15 %.
PACKED = 0.85
PHASE_SECONDS = 5
BYTES = b"x" * LARGEST


def log_uniform(source):
    return int(64 * math.exp(source.random() * math.log(LARGEST / 64)))


def uniform(source):
    return source.randrange(64, LARGEST + 1)


# The present one changes every few seconds.
SIZES = [
    log_uniform, uniform, lambda source: source.choice([log_uniform, uniform])(source),
    lambda source: source.randrange(64, 64 << 10), lambda source: source.randrange(1 << 20, LARGEST)]


class Client(Raw):
    """Creates, fills and deletes objects; never lets anything be evicted."""

    def __init__(self, store):
        super().__init__(store)
        self.maps = {}
        self.count = 0

    def put(self, size):
        """A new object's id, or `None` when it was refused; and the seconds that Create took."""
        self.count += 1
        one = (42).to_bytes(8, "big") + self.count.to_bytes(8, "big") + b"\x80\0\0\1"
        begin = time.perf_counter()
        kind, body = self.ask(1, table(one, ("B", 0), ("q", size), ("q", 0), 0))
        seconds = time.perf_counter() - begin
        assert kind == 2, kind
        error = field(body, 2)
        if error is not None and struct.unpack_from("<i", body, error)[0] != 0:
            return None, seconds
        segment, offset = struct.unpack_from("<i4xQ", body, field(body, 1))
        if segment not in self.maps:
            self.maps[segment] = self.mapped(struct.unpack_from("<q", body, field(body, 4))[0])
        self.maps[segment][offset:offset + size] = BYTES[:size]
        self.ask(7, table(one, b"12345678"))
        self.send(frame(11, table(one)))
        return one, seconds

    def mapped(self, byte_count):
        _, rights, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(4))
        descriptor, = struct.unpack("<i", rights[0][2][:4])
        try:
            return mmap.mmap(descriptor, byte_count - 8)
        finally:
            os.close(descriptor)

    def delete(self, names):
        kind, _ = self.ask(13, table(len(names), names))
        assert kind == 14, kind


def file_bytes(pid):
    """Memory of the store's object files."""
    total = 0
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(link)
            if "plasma" in target and "deleted" in target:
                total += os.stat(link).st_blocks * 512
    return total


def run(store, options, seed):
    """Keeps the store 90 % full for so long; prints what it came to and says whether it is good."""
    source = random.Random(seed)
    client, capacity = Client(store), options.megabytes << 20
    live, used, failed, refused, times, peak, looks = [], 0, 0, 0, [], 0, 0
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < options.seconds:
        size = SIZES[int(now / PHASE_SECONDS) % len(SIZES)](source)
        doomed = []
        while used + size > FULL * capacity:
            at = source.randrange(len(live))
            live[at], live[-1] = live[-1], live[at]
            one, freed = live.pop()
            doomed.append(one)
            used -= freed
        if doomed:
            client.delete(doomed)
        one, seconds = client.put(size)
        times.append(seconds * 1e6)
        if one:
            live.append((one, size))
            used += size
        else:
            refused += 1
            failed += size <= PACKED * (capacity - used)
        if now > looks:
            looks = now + 0.25
            peak = max(peak, file_bytes(store.process.pid))
    times.sort()
    mapped = file_bytes(store.process.pid)
    client.delete([one for one, _ in live])
    time.sleep(2)
    print(f"{len(times)} creates in {options.seconds:.0f} s, {refused} refused, {failed} of them "
          f"although {PACKED:.0%} of the free bytes were as many")
    print(f"Create: p50 {times[len(times) // 2]:.0f} us, "
          f"p99.9 {times[len(times) * 999 // 1000]:.0f} us with both ways")
    print(f"{len(client.maps)} segments; memory of the files: at most {peak >> 20} MiB, at the end "
          f"{mapped >> 20} MiB for {used >> 20} MiB of objects, 2 s after deleting all "
          f"{file_bytes(store.process.pid) >> 20} MiB")
    print("ok" if failed == 0 else "NOT REACHED")
    return failed == 0


class Store:
    """The process, as Raw wants it."""

    def __init__(self, program, directory, size):
        self.socket = f"{directory}/store"
        self.process = subprocess.Popen(
            [program, "-s", self.socket, "-m", str(size)], stderr=subprocess.DEVNULL)
        while not os.path.exists(self.socket):
            assert self.process.poll() is None, "the store did not start"
            time.sleep(0.01)


def main():
    options = OPTIONS.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"SEED={seed}, a store of {options.megabytes} MiB", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        store = Store(options.store, directory, options.megabytes << 20)
        try:
            is_good = run(store, options, seed)
        finally:
            store.process.send_signal(signal.SIGKILL)
            store.process.wait()
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
