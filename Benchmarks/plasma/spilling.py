"""How fast objects go to disk and come back, beside dd on the same disk: see README.md."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests/Integration"))
warnings.simplefilter("ignore")

import numpy  # noqa: E402
from pyarrow import plasma  # noqa: E402

import programs  # noqa: E402

MIB = 1 << 20
BATCH = 1


def put_id(number):
    return plasma.ObjectID(programs.task_id(BATCH, number, 0x80000001))


def timed(body):
    started = time.monotonic()
    body()
    return time.monotonic() - started


def run(*words):
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)


def forget(paths):
    """Has the system read the files from the disk the next time."""
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def dd(directory, size):
    """Seconds that dd takes to write as many bytes to the disk, and to read them back."""
    source, target = f"/dev/shm/spill-bench-{os.getpid()}", directory / "dd"
    with open(source, "wb") as file:
        for number in range(64):
            file.write(numpy.random.default_rng(number).bytes(MIB))
    try:
        count = size // (64 * MIB)

        def write():
            with open(target, "wb"):
                pass
            for part in range(count):
                run("dd", f"if={source}", f"of={target}", "bs=1M", f"seek={part * 64}",
                    "conv=fdatasync,notrunc")

        seconds = timed(write)
        forget([target])
        return seconds, timed(lambda: run("dd", f"if={target}", "of=/dev/null", "bs=1M"))
    finally:
        os.unlink(source)
        target.unlink(missing_ok=True)


def fields(server):
    words = server.cli("GCS.NODE", "INFO", "n1").splitlines()
    return dict(zip(words[::2], words[1::2]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", default=tempfile.gettempdir(), help="a directory on the disk")
    parser.add_argument("--store", type=int, default=512, help="MiB of the store")
    parser.add_argument("--object", type=int, default=4, help="MiB of an object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        measure(pathlib.Path(directory), options.store * MIB, options.object * MIB)


def measure(directory, store_size, size):
    total = 3 * store_size
    count = total // size
    write_seconds, read_seconds = dd(directory, total)
    for name in ("server", "store", "node"):
        (directory / name).mkdir()
    server = programs.Server(directory / "server").start()
    store = programs.Store(directory / "store", size=store_size).start()
    node = programs.Node(
        directory / "node", server, store, "n1", "--object-spilling-directory",
        directory / "spill").start()
    try:
        server.cli("GCS.BATCH", "START", "ID", BATCH)
        client = store.client()
        data = numpy.random.default_rng(7).integers(0, 256, size, dtype=numpy.uint8)

        def put():
            for number in range(count):
                buffer = client.create(put_id(number), size)
                target = numpy.frombuffer(buffer, dtype=numpy.uint8)
                target[:] = data
                target[:8] = numpy.frombuffer(number.to_bytes(8, "big"), dtype=numpy.uint8)
                client.seal(put_id(number))
                del target, buffer

        def get():
            for number in range(count):
                [buffer] = client.get_buffers([put_id(number)], timeout_ms=60_000)
                view = numpy.frombuffer(buffer, dtype=numpy.uint8)
                assert int.from_bytes(view[:8].tobytes(), "big") == number
                assert numpy.array_equal(view[8:], data[8:])
                del view, buffer

        put_seconds = timed(put)
        time.sleep(1.5)
        spilled = fields(server)
        forget((directory / "spill").rglob("*-multi-*"))
        get_seconds = timed(get)
        time.sleep(1.5)
        restored = fields(server)
        end_seconds = timed(lambda: end(server, directory))
    finally:
        for program in (node, store, server):
            program.kill()
    print_table(total, write_seconds, read_seconds, put_seconds, get_seconds, spilled, restored)
    print(f"\nEND of the batch until no spilled file was left: {end_seconds * 1000:.0f} ms")


def end(server, directory):
    assert server.cli("GCS.BATCH", "END", BATCH) == "COLLECTED"
    programs.wait_until(
        lambda: not list((directory / "spill").rglob("*-multi-*")), "no spilled file is left")


def print_table(total, write_seconds, read_seconds, put_seconds, get_seconds, spilled, restored):
    def rate(size, seconds):
        return f"{size / MIB / seconds:8.0f} MiB/s" if seconds > 0 else "       -"

    spilled_bytes = int(spilled["spilled-bytes"])
    restored_bytes = int(restored["restored-bytes"])
    print(f"a job of {total // MIB} MiB, three times its store; {spilled_bytes // MIB} MiB of it "
          f"were written, {restored_bytes // MIB} MiB read back and compared\n")
    print("| | write | read |\n|---|---|---|")
    print(f"| dd, 64 MiB at a time, fdatasync after each | {rate(total, write_seconds)} "
          f"| {rate(total, read_seconds)} |")
    print(f"| node manager, a file at a time | "
          f"{rate(spilled_bytes, int(spilled['spill-ms']) / 1000)} "
          f"| {rate(restored_bytes, int(restored['restore-ms']) / 1000)} |")
    print(f"| the job: all puts, then all gets | {rate(total, put_seconds)} "
          f"| {rate(total, get_seconds)} |")


if __name__ == "__main__":
    main()
