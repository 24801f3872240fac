"""gcs.plasma beside pyarrow's client, on one store: see README.md."""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Clients" / "python"))

import numpy  # noqa: E402
from pyarrow import plasma as arrow  # noqa: E402

from gcs import plasma as ours  # noqa: E402

SIZES = {"100 B": (100, 3000), "1 MB": (1_000_000, 300), "100 MB": (100_000_000, 5)}
ROUNDS = 4


def timed(times, call):
    begin = time.perf_counter_ns()
    found = call()
    times.append((time.perf_counter_ns() - begin) / 1000)
    return found


def measure(client, ids, size, count, found):
    """Medians of one round, in microseconds, added to `found`."""
    data, value = b"x" * size, numpy.zeros(size, dtype=numpy.uint8)
    ways = {
        "put bytes": lambda one: client.put_raw_buffer(data, one),
        "get bytes": lambda one: len(client.get_buffers([one])[0]),
        "put array": lambda one: client.put(value, one),
        "get array": lambda one: client.get(one).nbytes,
    }
    times = {way: [] for way in ways}
    for _ in range(count):
        for kind in ("bytes", "array"):
            one = ids()
            timed(times[f"put {kind}"], lambda: ways[f"put {kind}"](one))
            assert timed(times[f"get {kind}"], lambda: ways[f"get {kind}"](one)) == size
            client.delete([one])
    for way, numbers in times.items():
        found.setdefault(way, []).append(statistics.median(numbers))


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/store"
        store = subprocess.Popen(
            [program, "-s", path, "-m", str(1 << 30)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            compare(path)
        finally:
            store.kill()
            store.wait()


def compare(path):
    clients = {
        "gcs.plasma": (ours.connect(path), ours.ObjectID.from_random),
        "pyarrow": (arrow.connect(path), arrow.ObjectID.from_random)}
    print("| | gcs.plasma, µs | pyarrow, µs | ratio |\n|---|---|---|---|")
    for label, (size, count) in SIZES.items():
        found = {name: {} for name in clients}
        for number in range(ROUNDS):
            # In turns, so that both meet the same machine.
            for name in list(clients) if number % 2 == 0 else list(reversed(clients)):
                client, ids = clients[name]
                measure(client, ids, size, count, found[name])
        for way in found["pyarrow"]:
            mine, theirs = (min(found[name][way]) for name in clients)
            print(f"| {way}, {label} | {mine:,.1f} | {theirs:,.1f} | {mine / theirs:.2f} |")


if __name__ == "__main__":
    main()
