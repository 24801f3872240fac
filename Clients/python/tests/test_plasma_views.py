"""gcs.plasma: no copies, how long objects are held, threads, processes, forks, and pyarrow."""

import gc
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading

import pytest

import programs
from gcs import errors, plasma
from gcs.plasma import ObjectID, ObjectNotAvailable

PACKAGE = pathlib.Path(__file__).resolve().parents[1]


def holds(client, object_id):
    """How many hold an object; `client` is the one that released it, as that has no answer."""
    return client.list()[object_id].ref_count


def mapped_file(address):
    """The file that is mapped at an address of this process."""
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(part, 16) for part in line.split()[0].split("-"))
        if first <= address < last:
            return line.split(maxsplit=5)[5], line.split()[1]
    raise AssertionError(f"nothing is mapped at {address:x}")


# ---- numpy


def test_an_array_lies_in_the_stores_memory(client, second):
    numpy = pytest.importorskip("numpy")
    values = {"a": numpy.arange(1_000_000.0), "b": [numpy.ones((30, 40), order="F")]}
    object_id = client.put(values)
    found, again = second.get(object_id), second.get(object_id)
    assert (found["a"] == values["a"]).all() and (found["b"][0] == values["b"][0]).all()
    assert not found["a"].flags.writeable and found["b"][0].flags.f_contiguous
    with pytest.raises(ValueError):
        found["a"].flags.writeable = True
    for array, twin in ((found["a"], again["a"]), (found["b"][0], again["b"][0])):
        address = array.__array_interface__["data"][0]
        file, access = mapped_file(address)
        assert "plasma" in file and access == "rw-s"
        assert address % 64 == 0
        # One mapping: the same bytes, not bytes that are alike.
        assert twin.__array_interface__["data"][0] == address


def test_what_a_maker_writes_is_what_a_reader_sees(client, second):
    numpy = pytest.importorskip("numpy")
    object_id = ObjectID.from_random()
    written = numpy.frombuffer(client.create(object_id, 8000), dtype=numpy.int64)
    written[:] = numpy.arange(1000)
    client.seal(object_id)
    read = numpy.frombuffer(second.get(object_id), dtype=numpy.int64)
    assert (read == numpy.arange(1000)).all()
    # The object is sealed, so this is wrong; it shows that both look at one memory.
    written[7] = -1
    assert read[7] == -1


def test_arrays_of_every_layout(client):
    numpy = pytest.importorskip("numpy")
    whole = numpy.arange(24).reshape(2, 3, 4)
    for array in (whole, whole.T, whole[:, ::2], whole[1, 1, 1:2], numpy.zeros((0, 3)),
                  numpy.array(5.0), numpy.array(["a", "bc"]), numpy.array([1, "x"], dtype=object)):
        found = client.get(client.put(array))
        assert found.shape == array.shape and found.dtype == array.dtype and (found == array).all()
        if array.dtype != object and array.flags.forc:
            object_id = client.put_raw_buffer(array) if array.dtype.kind != "U" else None
            assert object_id is None or client.get(object_id).nbytes == array.nbytes


# ---- how long an object is held


def test_every_view_holds_the_object_and_the_last_releases_it(client, second):
    object_id = client.put_raw_buffer(bytes(100_000))
    view, = second.get_buffers([object_id])
    other, = second.get_buffers([object_id])
    part = view[10:20]
    shape = view.cast("I")
    view.release()
    assert holds(second, object_id) == 1
    del other
    assert holds(second, object_id) == 1
    part.release()
    assert holds(second, object_id) == 1
    shape.release()
    assert holds(second, object_id) == 0


def test_an_array_holds_its_object_but_not_another(client, second):
    numpy = pytest.importorskip("numpy")
    first, second_id = client.put([numpy.arange(1000), "a"]), client.put(numpy.arange(1000))
    one, two = second.get(first), second.get(second_id)
    tail = one[0][990:].reshape(2, 5)
    del one, two
    assert (holds(second, first), holds(second, second_id)) == (1, 0)
    assert tail.sum() == sum(range(990, 1000))
    del tail
    assert holds(second, first) == 0


def test_metadata_holds_the_object_too(client, second):
    object_id = client.put_raw_buffer(b"data", metadata=b"meta")
    metadata, = second.get_metadata([object_id])
    assert holds(second, object_id) == 1
    del metadata
    assert holds(second, object_id) == 0


def test_views_in_a_circle_of_references_go_with_a_collection(client, second):
    object_id = client.put_raw_buffer(bytes(1000))
    circle = [second.get(object_id)]
    circle.append(circle)
    del circle
    gc.collect()
    assert holds(second, object_id) == 0


def test_a_view_outlives_its_client(client, plasma_store):
    object_id = client.put_raw_buffer(b"x" * 100_000)
    for end in (lambda one: one.disconnect(), lambda one: None):
        other = plasma.connect(plasma_store.socket)
        view = other.get(object_id)
        end(other)
        del other
        gc.collect()
        assert holds(client, object_id) == 1
        assert client.delete([client.put(1)]) and view[:3] == b"xxx"
        del view
        programs.wait_until(lambda: holds(client, object_id) == 0, "the view is released")


def test_clients_leave_no_descriptor_behind(client, plasma_store):
    object_id = client.put_raw_buffer(bytes(100_000))

    def round():
        with plasma.connect(plasma_store.socket) as other:
            assert other.get([object_id, ObjectID.from_random()], 10)[1] is ObjectNotAvailable
            other.subscribe()
        dropped = plasma.connect(plasma_store.socket)
        assert dropped.get(object_id).nbytes == 100_000

    round()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        round()
    assert len(os.listdir("/proc/self/fd")) == before


# ---- threads


def test_threads_that_share_a_client(client):
    gc_before, failures = gc.get_threshold(), []

    def work(seed):
        try:
            chosen, kept = random.Random(seed), []
            for number in range(150):
                size = chosen.choice([10, 1000, 50_000])
                object_id = client.put_raw_buffer(bytes([number]) * size)
                view = client.get(object_id)
                assert view == bytes([number]) * size
                circle = [view]
                circle.append(circle)
                kept.append(view)
                if len(kept) > 5:
                    kept.pop(0)
                if number % 7 == 0:
                    client.get(ObjectID.from_random(), timeout_ms=1)
                client.delete([object_id])
        except BaseException as error:
            failures.append(error)

    gc.set_threshold(20)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        gc.set_threshold(*gc_before)
    assert not failures and not any(thread.is_alive() for thread in threads)
    gc.collect()
    assert client.list() == {}


# ---- processes

CHILD = """
import sys
from gcs import plasma
client = plasma.connect(sys.argv[1])
given = plasma.ObjectID(sys.argv[2])
value = client.get(given)
made = client.put({"sum": sum(value), "of": bytes(value)})
views = client.get_buffers([given, made])
making = client.create(plasma.ObjectID.from_random(), 1000)
print(made, flush=True)
sys.stdin.read()
"""


def test_a_process_that_dies_holding_objects_leaves_none_held(client, plasma_store):
    given = client.put_raw_buffer(bytes([1, 2, 3]) * 1000)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, plasma_store.socket, given.hex()], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)})
    try:
        made = ObjectID(child.stdout.readline().strip())
        assert client.get(made)["sum"] == 6000
        assert len(client.list()) == 3
        assert holds(client, given) == 1 and holds(client, made) == 1
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        programs.wait_until(
            lambda: {one: info.ref_count for one, info in client.list().items()}
            == {given: 0, made: 0}, "what the dead process held is free")
    finally:
        child.kill()
        child.communicate()


def test_the_child_of_a_fork_has_to_connect_anew(client, second, plasma_store):
    object_id = client.put_raw_buffer(b"x" * 100_000)
    view = client.get(object_id)

    def in_child():
        assert view[:3] == b"xxx"
        for call in (client.list, client.subscribe, lambda: client.put(1)):
            with pytest.raises(errors.PlasmaClosed, match="forked: connect anew"):
                call()
        client.disconnect()
        with plasma.connect(plasma_store.socket) as mine:
            assert mine.get(object_id)[:3] == b"xxx"

    status = in_a_fork(in_child)
    assert status == 0
    assert holds(second, object_id) == 1, "the child's end releases nothing of its parent's"
    assert client.get(client.put(1)) == 1
    del view
    assert holds(client, object_id) == 0


def test_a_child_does_not_keep_what_its_dead_parent_held(client, plasma_store):
    object_id = client.put_raw_buffer(bytes(1000))
    read_end, write_end = os.pipe()

    def parent():
        mine = plasma.connect(plasma_store.socket)
        view = mine.get(object_id)
        grandchild = os.fork()
        if grandchild == 0:
            os.read(read_end, 1)
            os._exit(0)
        assert view.nbytes == 1000 and holds(client2(), object_id) >= 1
        os.kill(os.getpid(), signal.SIGKILL)

    def client2():
        return plasma.connect(plasma_store.socket)

    try:
        assert in_a_fork(parent) == -signal.SIGKILL
        programs.wait_until(lambda: holds(client, object_id) == 0, "the dead parent holds nothing")
    finally:
        os.write(write_end, b"x")
        os.close(read_end)
        os.close(write_end)


def in_a_fork(body):
    """The status with which a child ends that runs `body`."""
    child = os.fork()
    if child == 0:
        try:
            body()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


# ---- pyarrow


def test_bytes_go_to_and_from_pyarrow(client, plasma_store):
    arrow = pytest.importorskip("pyarrow.plasma")
    theirs = plasma_store.client()
    ours = client.put_raw_buffer(b"from gcs" * 10_000, metadata=b"m1")
    (metadata, data), = theirs.get_buffers([arrow.ObjectID(ours.binary())], with_meta=True)
    assert metadata == b"m1" and data.to_pybytes() == b"from gcs" * 10_000
    name = theirs.put_raw_buffer(b"from pyarrow" * 10_000, metadata=b"m2")
    assert client.get_buffers([name], with_meta=True) == [(b"m2", b"from pyarrow" * 10_000)]
    waiting = arrow.ObjectID(bytes(range(20)))
    timer = threading.Timer(0.2, client.put_raw_buffer, (b"late", bytes(range(20))))
    timer.start()
    assert theirs.get_buffers([waiting], timeout_ms=5000)[0].to_pybytes() == b"late"
    timer.join()


def test_values_are_not_those_of_pyarrow(client, plasma_store):
    pyarrow = pytest.importorskip("pyarrow")
    arrow = pytest.importorskip("pyarrow.plasma")
    theirs = plasma_store.client()
    name = theirs.put([1, 2, 3])
    found = client.get(name)
    assert isinstance(found, memoryview), "its bytes, to be read with pyarrow"
    assert pyarrow.deserialize(found) == [1, 2, 3]
    ours = client.put([1, 2, 3])
    assert theirs.get_metadata([arrow.ObjectID(ours.binary())])[0].to_pybytes() == b"gcs.pickle5"
    with pytest.raises(pyarrow.ArrowException):
        theirs.get(arrow.ObjectID(ours.binary()))
