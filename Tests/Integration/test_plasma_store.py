"""plasma-store with pyarrow's client, with hostile clients, and with pyarrow's own tests."""

import array
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

import programs
from plasma_wire import Raw, answers, frame, subscribe, table
import pyarrow_suite

SMALL = 16 << 20


@pytest.fixture
def ours(start):
    return start(programs.Store, size=SMALL)


def plasma():
    import pyarrow.plasma

    return pyarrow.plasma


def object_id(number):
    return plasma().ObjectID(programs.task_id(42, number, 1))


ID = b"\x00" * 7 + b"\x2a" + b"task-one" + b"\x80\x00\x00\x01"
OTHER = b"\x00" * 7 + b"\x2a" + b"task-two" + b"\x80\x00\x00\x01"


def send_descriptors(raw, data, count):
    """Sends bytes with so many descriptors of one socket."""
    near, far = socket.socketpair()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [far.fileno()] * count))]
    try:
        raw.socket.sendmsg([data], rights)
    except OSError:
        pass  # dropped meanwhile
    near.close()
    far.close()


# Each sends one bad thing; True: the store must drop the sender, False: it need not.
HOSTILE = {
    "version 1": (True, lambda raw: raw.send(frame(15, table(ID), version=1))),
    "version -1": (True, lambda raw: raw.send(frame(15, table(ID), version=-1))),
    "unknown type 24": (True, lambda raw: raw.send(frame(24, table()))),
    "unknown type 12": (True, lambda raw: raw.send(frame(12, table(ID)))),
    "unknown type -1": (True, lambda raw: raw.send(frame(-1, table()))),
    "unknown type 2^62": (True, lambda raw: raw.send(frame(1 << 62, table()))),
    "a reply": (True, lambda raw: raw.send(frame(2, table(ID)))),
    "length -1": (True, lambda raw: raw.send(frame(15, b"", length=-1))),
    "length 2^62": (True, lambda raw: raw.send(frame(15, b"", length=1 << 62))),
    "length 512 MB": (False, lambda raw: raw.send(frame(3, b"x" * 100, length=512 << 20))),
    "length 512 MB of ids": (True, lambda raw: raw.send(frame(13, b"", length=512 << 20))),
    "empty body": (True, lambda raw: raw.send(frame(15, b""))),
    "body of zeros": (True, lambda raw: raw.send(frame(15, b"\0" * 64))),
    "body of ones": (True, lambda raw: raw.send(frame(15, b"\xff" * 64))),
    "offset outside": (True, lambda raw: raw.send(frame(15, struct.pack("<I", 1 << 30) * 8))),
    "no id": (True, lambda raw: raw.send(frame(15, table()))),
    "3-byte id": (True, lambda raw: raw.send(frame(15, table(b"abc")))),
    "empty id": (True, lambda raw: raw.send(frame(15, table(b"")))),
    "21-byte id": (True, lambda raw: raw.send(frame(15, table(ID + b"x")))),
    "3-byte id in get": (True, lambda raw: raw.send(frame(9, table([ID, b"abc"], ("q", 0))))),
    "3-byte id in delete": (True, lambda raw: raw.send(frame(13, table(2, [ID, b"abc"])))),
    "release of nothing": (True, lambda raw: raw.send(frame(11, table(ID)))),
    "release of another's": (
        True, lambda raw: (raw.create_sealed(ID), raw.send(frame(11, table(ID))))),
    "abort of nothing": (True, lambda raw: raw.send(frame(5, table(ID)))),
    "abort of a sealed one": (
        True, lambda raw: (raw.create_sealed(ID), raw.send(frame(5, table(ID))))),
    "seal with 3-byte digest": (
        True, lambda raw: (raw.create(ID), raw.send(frame(7, table(ID, b"abc"))))),
    "seal without digest": (
        True, lambda raw: (raw.create(ID), raw.send(frame(7, table(ID))))),
    "delete count above list": (True, lambda raw: raw.send(frame(13, table(1000, [ID])))),
    "delete count negative": (True, lambda raw: raw.send(frame(13, table(-1, [ID])))),
    "batch lists differ": (
        True, lambda raw: raw.send(
            frame(32, table([ID, OTHER], ("B", 1), [b"a"], [b""], [b"12345678"])))),
    "batch with short digest": (
        True, lambda raw: raw.send(frame(32, table([ID], ("B", 1), [b"a"], [b""], [b"1"])))),
    "subscribe without descriptor": (
        True, lambda raw: raw.send(frame(23, table()) + b"\0" + frame(15, table(ID)))),
    "subscribe with a file": (False, lambda raw: subscribe(raw, os.open("/dev/null", os.O_RDONLY))),
    "subscribe, then silence": (False, lambda raw: raw.send(frame(23, table()))),
    "seal of nothing": (False, lambda raw: raw.ask(7, table(ID, b"12345678"))),
    "seal twice": (False, lambda raw: [raw.create(ID)] + [
        raw.ask(7, table(ID, b"12345678")) for _ in range(2)]),
    "quota": (False, lambda raw: raw.ask(28, table(b"me", ("q", 1 << 60)))),
    "huge create": (False, lambda raw: raw.ask(
        1, table(ID, ("B", 1), ("q", (1 << 63) - 1), ("q", (1 << 63) - 1), 0))),
    "negative create": (False, lambda raw: raw.ask(
        1, table(ID, ("B", 1), ("q", -1), ("q", -1), 0))),
    "device 1": (False, lambda raw: raw.ask(1, table(ID, ("B", 1), ("q", 8), ("q", 0), 1))),
    "half a header": (False, lambda raw: raw.send(frame(15, table(ID))[:11])),
    "half a body": (False, lambda raw: raw.send(frame(15, table(ID))[:40])),
    "one byte": (False, lambda raw: raw.send(b"\0")),
    "evict everything": (False, lambda raw: raw.ask(21, table(("q", -1)))),
    "get for ever": (False, lambda raw: raw.send(frame(9, table([ID], ("q", -1))))),
    "get with the longest time-out": (
        False, lambda raw: raw.send(frame(9, table([ID], ("q", (1 << 63) - 1))))),
    "get of nothing": (False, lambda raw: raw.ask(9, table([], ("q", -1)))),
    "get of one id 10000 times": (
        False, lambda raw: raw.send(frame(9, table([ID] * 10_000, ("q", 20))))),
    "an HTTP request": (True, lambda raw: raw.send(b"GET / HTTP/1.1\r\nHost: store\r\n\r\n")),
    "gone before the reply": (False, lambda raw: (raw.send(frame(17, table())), raw.close())),
    "subscribe with two descriptors": (False, lambda raw: (
        raw.send(frame(23, table())), send_descriptors(raw, b"\0", 2))),
    "a hundred descriptors that nothing asked for": (True, lambda raw: [
        send_descriptors(raw, frame(15, table(ID)), 50) for _ in range(2)]),
    "subscribe with its own connection": (
        False, lambda raw: subscribe(raw, raw.socket.fileno())),
    "subscribe with a pipe that nobody reads": (
        False, lambda raw: subscribe(raw, os.pipe()[1])),
    "subscribe 20 times": (False, lambda raw: [
        subscribe(raw, pair[1].fileno()) for pair in [socket.socketpair() for _ in range(20)]]),
    "no more requests, replies still wanted": (False, lambda raw: (
        raw.send(frame(17, table()) * 50), raw.socket.shutdown(socket.SHUT_WR))),
    "disconnect, then more": (
        False, lambda raw: raw.send(frame(0, table()) + frame(15, table(ID)) * 100)),
    "two frames cut and swapped": (True, lambda raw: raw.send(
        frame(15, table(ID))[:30] + frame(13, table(1, [ID])) + frame(15, table(ID))[30:])),
    "a vector that claims 2^30 ids": (True, lambda raw: raw.send(
        frame(9, table([ID], ("q", 0)).replace(
            struct.pack("<I", 1) + b"\4\0\0\0", struct.pack("<I", 1 << 30) + b"\4\0\0\0")))),
    "an id that claims 2^31 bytes": (True, lambda raw: raw.send(
        frame(15, table(ID).replace(struct.pack("<I", 20) + ID, struct.pack("<I", 1 << 31) + ID)))),
    "a batch of one id twice": (False, lambda raw: raw.ask(
        32, table([ID, ID], ("B", 1), [b"a"] * 2, [b""] * 2, [b"12345678"] * 2))),
    "data and metadata that overflow together": (False, lambda raw: raw.ask(
        1, table(ID, ("B", 1), ("q", -1), ("q", 1), 0))),
    "a negative time-out": (False, lambda raw: raw.send(frame(9, table([ID], ("q", -2))))),
    "gone in the middle of its creates": (False, lambda raw: (
        [raw.send(frame(1, table(ID[:-1] + bytes([n]), ("B", 1), ("q", 9), ("q", 0), 0)))
         for n in range(50)], raw.close())),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_client_harms_nobody(ours, case):
    raw = Raw(ours)
    is_dropped, act = HOSTILE[case]
    act(raw)
    assert answers(ours)
    if is_dropped:
        assert raw.is_dropped(), "the bad client is still connected"
        assert "dropped" in ours.log_text()
    raw.close()
    assert answers(ours)


def test_a_node_manager_of_endless_patience_harms_nobody(ours):
    manager, other = Raw(ours), Raw(ours)
    assert manager.ask(1000, table([1], []))[0] == 1001
    manager.send(frame(1002, table([1 << 62, (1 << 63) - 1, 1000, 0], [])))
    for number in range(3):
        other.send(frame(
            3, table(ID[:-1] + bytes([number]), ("B", 1), b"x" * (SMALL // 2), b"", b"12345678")))
    assert other.reply()[0] == 4 and other.reply()[0] == 4
    assert answers(ours)
    manager.close()
    assert answers(ours)


def test_random_bytes_harm_nobody(ours):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    source = random.Random(seed)
    valid = [
        frame(1, table(ID, ("B", 1), ("q", 100), ("q", 10), 0)),
        frame(3, table(ID, ("B", 1), b"data" * 20, b"meta", b"12345678")),
        frame(9, table([ID, OTHER], ("q", 5))), frame(13, table(2, [ID, OTHER])),
        frame(17, table()), frame(34, table([ID])), frame(7, table(ID, b"12345678")),
        frame(32, table([OTHER], ("B", 1), [b"a" * 50], [b"m"], [b"12345678"])),
    ]
    for turn in range(400):
        raw = Raw(ours)
        data = bytearray(b"".join(source.choices(valid, k=3)))
        if turn % 4 == 0:
            data = bytearray(source.randbytes(source.randrange(1, 3000)))
        else:
            for _ in range(source.randrange(1, 6)):
                data[source.randrange(len(data))] = source.choice([0, 1, 127, 128, 255])
        raw.send(bytes(data))
        raw.close()
        if turn % 20 == 0:
            assert answers(ours), f"seed {seed} turn {turn}"
    assert answers(ours)


def test_clients_that_never_read_are_bounded(ours):
    client = ours.client()
    for number in range(5000):
        client.put_raw_buffer(b"x" * 100, object_id(number))
    before = ours.memory()
    raws = [Raw(ours) for _ in range(10)]
    for raw in raws:
        raw.socket.setblocking(False)
        try:
            for _ in range(2000):
                raw.socket.send(frame(17, table()))
        except BlockingIOError:
            pass
    time.sleep(1)
    assert answers(ours)
    assert ours.memory() - before < 50 << 20
    for raw in raws:
        raw.close()
    assert answers(ours)


def test_an_object_too_large_for_one_message_is_refused_and_skipped(ours):
    raw = Raw(ours)
    before = ours.memory()
    kind, body = raw.ask(3, table(ID, ("B", 1), b"x" * (200 << 20), b"", b"12345678"))
    assert (kind, body[-4:]) == (4, struct.pack("<i", 3))
    assert ours.memory() - before < 20 << 20
    assert raw.ask(15, table(ID))[0] == 16


def test_claimed_lengths_take_no_memory(start):
    store = start(programs.Store, size=1 << 30)
    before = store.memory()
    raws = [Raw(store) for _ in range(50)]
    for raw in raws:
        raw.send(frame(3, b"x" * 100, length=512 << 20))
    assert answers(store)
    assert store.memory() - before < 20 << 20
    for raw in raws:
        raw.close()


def test_ten_thousand_idle_connections(ours):
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(9_990, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = ours.memory()
    raws = [Raw(ours) for _ in range(count)]
    assert answers(ours)
    assert ours.memory() - before < 100 << 20
    for raw in raws:
        raw.close()
    assert answers(ours)


def test_a_blocking_subscriber_that_reads_nothing(ours):
    near, far = socket.socketpair()
    raw = Raw(ours)
    subscribe(raw, far.fileno())
    ids = [programs.task_id(1, number) for number in range(20_000)]
    body = table(ids, ("B", 1), [b"x"] * len(ids), [b""] * len(ids), [b"12345678"] * len(ids))
    kind, _ = raw.ask(32, body)
    assert kind == 33
    assert answers(ours)
    near.close()
    assert answers(ours)


# ---- what people do


def test_objects_go_to_other_processes(ours):
    import numpy

    client = ours.client()
    value = numpy.arange(1_000_000, dtype="float64")
    name = client.put(value)
    script = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from pyarrow import plasma\n"
        "client = plasma.connect(sys.argv[1])\n"
        "value = client.get(plasma.ObjectID(bytes.fromhex(sys.argv[2])))\n"
        "print(int(value.sum()))\n")
    done = subprocess.run(
        [sys.executable, "-c", script, str(ours.socket), name.binary().hex()],
        capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(int(value.sum())), done.stderr


def test_memory_comes_back_after_deletes(ours):
    client = ours.client()
    names = [client.put_raw_buffer(b"x" * 100_000) for _ in range(140)]
    mapped = mapped_bytes(ours)
    assert mapped >= 14_000_000
    client.delete(names)
    programs.wait_until(
        lambda: mapped_bytes(ours) < 1 << 20, "the memory is back", seconds=5)


def mapped_bytes(store):
    """Memory that the store's object files take."""
    total = 0
    for link in pathlib.Path(f"/proc/{store.process.pid}/fd").iterdir():
        try:
            if "plasma" in os.readlink(link) and "socket" not in os.readlink(link):
                total += os.stat(link).st_blocks * 512
        except OSError:
            pass
    return total


def test_objects_in_files(start, tmp_path):
    store = start(FileStore, tmp_path)
    client = store.client()
    small = client.put([1, 2, 3])
    name = client.put(b"x" * 1_000_000)
    assert client.get(name) == b"x" * 1_000_000
    assert client.get(small) == [1, 2, 3]
    assert not [one for one in tmp_path.iterdir() if "plasma" in one.name and one.is_file()]


class FileStore(programs.Store):
    def __init__(self, directory, place):
        super().__init__(directory, size=SMALL)
        self.args += ["-d", str(place)]


def test_a_hundred_thousand_deletes_leave_others_their_turn(start):
    store = start(programs.Store, size=256 << 20)
    raw = Raw(store)
    ids = [programs.task_id(42, number, 1) for number in range(100_000)]
    for first in range(0, len(ids), 10_000):
        part = ids[first:first + 10_000]
        raw.ask(32, table(
            part, ("B", 1), [b"x" * 100] * len(part), [b""] * len(part),
            [b"12345678"] * len(part)))
    message = frame(13, table(len(ids), ids))
    other, waits, done = Raw(store), [], threading.Event()
    question = frame(15, table(b"y" * 20))

    def ask():
        while not done.is_set():
            begin = time.perf_counter()
            other.send(question)
            other.reply()
            waits.append(time.perf_counter() - begin)

    thread = threading.Thread(target=ask)
    thread.start()
    raw.send(message)
    raw.socket.recv(1, socket.MSG_PEEK)
    done.set()
    thread.join()
    kind, body = raw.reply()
    assert kind == 14
    assert len(waits) > 20
    print(f"worst of {len(waits)} waits: {max(waits) * 1000:.2f} ms")
    # Python's threads and a busy machine add to it; Benchmarks/plasma measures with processes.
    assert sorted(waits)[-3] < 0.05
    assert raw.ask(17, table())[0] == 18


# ---- the program


def test_sigterm_ends_it_cleanly(ours):
    assert ours.socket.exists()
    assert ours.stop(signal.SIGTERM) == 0
    assert not ours.socket.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(start, tmp_path):
    first = start(programs.Store, size=SMALL)
    second = subprocess.run(first.args, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert "another process does already" in second.stderr
    assert answers(first)
    first.kill()
    assert first.socket.exists()
    programs.Program.start(first)
    programs.wait_until(first._accepts, "the store accepts", process=first.process)
    assert answers(first)


@pytest.mark.parametrize("arguments, words", [
    (["-m", "1m"], "-s SOCKET is needed"),
    (["-s", "x"], "-m BYTES is needed"),
    (["-s", "x", "-m", "lots"], "found 'lots'"),
    (["-s", "x", "-m", "0"], "found '0'"),
    (["-s", "x" * 200, "-m", "1m"], "at most 107 bytes, found 200"),
    (["-s", "x", "-m", "1m", "-e", "s3://bucket"], "found 's3://bucket'"),
    (["-s", "x", "-m", "1m", "-e", "file://"], "found 'file://'"),
    (["-s", "x", "-m", "1m", "-e", "/does/not/exist"], "make the directory /does/not/exist"),
    (["-s", "x", "-m", "1m", "-h"], "-h needs -d DIR on a mount of type hugetlbfs"),
    (["-s", "x", "-m", "1m", "-h", "-d", "/tmp"], "hugetlbfs, found /tmp"),
    (["-s", "x", "-m", "1m", "--max-clients", "0"], "--max-clients must be 1 to 1000000"),
    (["-s", "x", "-m", "1m", "--fallback-bytes", "-1"], "found '-1'"),
    (["-s", "x", "-m", "1m", "-d", "/does/not/exist"], "No such file or directory"),
    (["--fast"], "unknown argument '--fast'"),
])
def test_wrong_arguments_are_refused(arguments, words, tmp_path):
    done = subprocess.run(
        [programs.BIN / "plasma-store", *arguments], capture_output=True, text=True, timeout=30,
        cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr


def test_help(tmp_path):
    done = subprocess.run(
        [programs.BIN / "plasma-store", "--help"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert "-s SOCKET" in done.stdout


# ---- pyarrow's own tests

def test_pyarrows_own_tests_pass(tmp_path):
    found, printed = pyarrow_suite.run(tmp_path, programs.BIN / "plasma-store")
    failed = {name for name, outcome in found.items() if outcome == "failed"}
    # pandas is not installed here; `make test-pyarrow` has it.
    assert failed <= {"TestPlasmaClient.test_store_pandas_dataframe"}, printed[-6000:]
    assert found["TestEvictionToExternalStore.test_eviction"] == "passed"
    assert sum(outcome == "passed" for outcome in found.values()) >= 32, printed[-2000:]
