"""gcs.plasma: every call, with our store and Arrow's."""

import signal
import threading
import time

import pytest

import programs
from gcs import errors, plasma
from gcs.plasma import Deletion, ObjectID, ObjectNotAvailable

VALUES = [
    None, True, -1, 1 << 100, 2.5, "text", "", b"bytes", b"", bytearray(b"array"), [], [1, [2]],
    {"a": (1, {2, 3})}, range(5), b"x" * 100_000, "y" * 100_000, ObjectID(bytes(20)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_comes_back_as_it_was(client, second, value):
    object_id = client.put(value)
    found = second.get(object_id)
    assert found == value and type(found) is type(value)
    assert second.list()[object_id].ref_count == 0


def test_a_put_under_an_id_of_ones_own(client):
    name = programs.task_id(42, 7, 1)
    assert client.put("first", name) == name
    with pytest.raises(errors.PlasmaObjectExists, match=name.hex()):
        client.put("second", name)
    with pytest.raises(errors.PlasmaObjectExists):
        client.put(bytes(100_000), name)
    assert client.get(name) == "first"
    assert client.get(name.hex()) == "first"
    with pytest.raises(ValueError, match="20 bytes"):
        client.put(1, b"short")
    with pytest.raises(TypeError, match="int"):
        client.put(1, 5)


def test_bytes_and_metadata(client, second):
    for size in (0, 1, 100, 32 << 10, (32 << 10) + 1, 3_000_001):
        data = bytes(range(256)) * (size // 256 + 1)
        object_id = client.put_raw_buffer(data[:size], metadata=b"about it")
        (metadata, view), = second.get_buffers([object_id], with_meta=True)
        assert metadata == b"about it" and view == data[:size] and view.readonly
        assert second.get_metadata([object_id]) == [b"about it"]
        assert second.get(object_id) == view
    object_id = client.put_raw_buffer(memoryview(data)[1:8].cast("B"))
    assert client.get_buffers([object_id]) == [data[1:8]]
    with pytest.raises(BufferError):
        client.put_raw_buffer(memoryview(data)[::2])


def test_an_object_is_seen_once_it_is_sealed(client, second):
    object_id = ObjectID.from_random()
    view = client.create(object_id, 1000, b"meta")
    assert not view.readonly and len(view) == 1000
    view[:5] = b"hello"
    assert not second.contains(object_id)
    assert second.get_buffers([object_id], timeout_ms=0) == [None]
    info = second.list()[object_id]
    assert (info.data_size, info.metadata_size, info.ref_count) == (1000, 4, 1)
    assert info.state == "created" and info.construct_duration == -1
    client.seal(object_id)
    assert second.contains(object_id)
    assert second.list()[object_id].state == "sealed"
    assert second.list()[object_id].ref_count == 1, "the view that was written holds it"
    view.release()
    assert client.list()[object_id].ref_count == 0
    assert second.get_buffers([object_id])[0][:5] == b"hello"
    assert abs(info.create_time - time.time()) < 60


def test_sealing_and_aborting_need_an_object_of_ones_own_making(client, second):
    object_id = ObjectID.from_random()
    for call in (client.seal, client.abort):
        with pytest.raises(errors.PlasmaObjectNotFound, match=object_id.hex()):
            call(object_id)
    view = client.create(object_id, 10)
    with pytest.raises(errors.PlasmaObjectExists):
        second.create(object_id, 10)
    for call in (second.seal, second.abort):
        with pytest.raises(errors.PlasmaObjectNotFound):
            call(object_id)
    client.seal(object_id)
    for call in (client.seal, client.abort):
        with pytest.raises(errors.PlasmaObjectAlreadySealed):
            call(object_id)
    assert second.contains(object_id) and view.nbytes == 10


def test_an_aborted_object_is_gone_and_its_view_too(client, second):
    object_id = ObjectID.from_random()
    view = client.create(object_id, 10)
    part = view[2:4]
    with pytest.raises(errors.PlasmaObjectInUse, match="still held"):
        client.abort(object_id)
    part.release()
    client.abort(object_id)
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    assert second.list() == {}
    with client.create(object_id, 10) as again:
        again[:] = b"0123456789"
    client.seal(object_id)
    assert second.get(object_id) == b"0123456789"


def test_an_object_that_does_not_fit(client, plasma_store):
    assert client.store_capacity() == plasma_store.size
    with pytest.raises(errors.PlasmaStoreFull, match=f"{plasma_store.size * 2} bytes"):
        client.create(ObjectID.from_random(), plasma_store.size * 2)
    half = plasma_store.size // 2 + 1000
    held = client.create(ObjectID.from_random(), half)
    with pytest.raises(errors.PlasmaStoreFull):
        client.put_raw_buffer(bytes(half))
    old = client.put(bytes(plasma_store.size // 4))
    with pytest.raises(errors.PlasmaStoreFull):
        client.create(ObjectID.from_random(), plasma_store.size // 3, evict_if_full=False)
    assert client.contains(old)
    client.put(bytes(plasma_store.size // 3))
    assert not client.contains(old) and held.nbytes == half


def test_waiting_for_objects(client, second):
    there, late, never = client.put("there"), ObjectID.from_random(), ObjectID.from_random()
    begin = time.monotonic()
    assert client.get([there, never], timeout_ms=0) == ["there", ObjectNotAvailable]
    assert client.get([never, there, never], timeout_ms=200) == [
        ObjectNotAvailable, "there", ObjectNotAvailable]
    assert 0.2 <= time.monotonic() - begin < 5
    timer = threading.Timer(0.2, second.put, ("late", late))
    timer.start()
    assert client.get([late, there, late]) == ["late", "there", "late"]
    timer.join()
    programs.wait_until(
        lambda: {info.ref_count for info in second.list().values()} == {0},
        "the connection that waited holds nothing any more")


def test_one_that_waits_holds_up_nobody(client):
    late, found = ObjectID.from_random(), []
    waiters = [
        threading.Thread(target=lambda: found.append(client.get(late))) for _ in range(6)]
    for waiter in waiters:
        waiter.start()
    begin = time.monotonic()
    for number in range(100):
        assert client.get(client.put(number)) == number
    assert time.monotonic() - begin < 5 and not found
    client.put([1, 2], late)
    for waiter in waiters:
        waiter.join(10)
    assert found == [[1, 2]] * 6


def test_an_interrupt_while_waiting_leaves_the_client_as_it_was(client):
    class Interrupt(Exception):
        pass

    def interrupt(*_):
        raise Interrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Interrupt):
            client.get(ObjectID.from_random())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert client.get(client.put("still here")) == "still here"


def test_deleting_tells_what_became_of_each(client, second):
    held, free, absent, unsealed = (ObjectID.from_random() for _ in range(4))
    client.put_raw_buffer(b"held", held)
    client.put_raw_buffer(b"free", free)
    view, = second.get_buffers([held])
    making = second.create(unsealed, 10)
    assert client.delete([held, free, absent, free, unsealed]) == [
        Deletion.IN_USE, Deletion.REMOVED, Deletion.NOT_FOUND, Deletion.NOT_FOUND,
        Deletion.NOT_SEALED]
    assert view == b"held" and set(client.list()) == {held, unsealed}
    view.release()
    making.release()
    second.seal(unsealed)
    assert client.list() == {}
    assert client.delete([]) == []


def test_a_thousand_objects(client, second):
    ids = [client.put(number) for number in range(1001)]
    assert second.get(ids) == list(range(1001))
    infos = second.list()
    assert set(infos) == set(ids) and {info.ref_count for info in infos.values()} == {0}
    views = second.get_buffers(ids)
    assert {info.ref_count for info in client.list().values()} == {1}
    del views
    # A release has no answer: only on its own connection it surely came before the question.
    assert {info.ref_count for info in second.list().values()} == {0}
    assert client.delete(ids) == [Deletion.REMOVED] * 1001
    assert second.list() == {}


def test_what_was_used_longest_ago_is_evicted_first(client):
    first, middle, last = (client.put_raw_buffer(bytes(10_000)) for _ in range(3))
    client.refresh([first])
    assert client.evict(1) == 10_000
    assert [client.contains(one) for one in (first, middle, last)] == [True, False, True]
    assert client.evict(1 << 30) == 20_000
    assert client.list() == {}


def test_notifications(client, second):
    old = client.put_raw_buffer(b"old", metadata=b"m")
    with client.subscribe() as subscription:
        assert subscription.next(5) == (old, 3, 1, False)
        assert subscription.next(0.1) is None and subscription.next(0) is None
        new = second.put_raw_buffer(bytes(70_000))
        assert next(subscription) == (new, 70_000, 0, False)
        second.delete([old])
        assert client.get_next_notification() == (old, -1, -1)
        ids = [second.put_raw_buffer(b"x") for _ in range(500)]
        assert [next(subscription).object_id for _ in ids] == ids
        second.evict(1 << 30)
        gone = [next(subscription) for _ in range(501)]
        assert all(one.is_deletion for one in gone)
        assert {one.object_id for one in gone} == {new, *ids}
        timer = threading.Timer(0.2, subscription.close)
        timer.start()
        assert list(subscription) == []
        timer.join()
    assert client.get(client.put("after")) == "after"


def test_two_subscriptions_of_one_client(client):
    with client.subscribe() as one, client.subscribe() as two:
        object_id = client.put(1)
        assert one.next(5).object_id == two.next(5).object_id == object_id


def test_what_the_store_says_of_itself(client, plasma_store):
    assert client.store_socket_name == str(plasma_store.socket)
    client.put_raw_buffer(bytes(12_345))
    assert len(client.debug_string().splitlines()) > 5


def test_a_quota_beyond_the_store_is_refused(client, plasma_store):
    with pytest.raises(errors.PlasmaStoreFull, match="quota"):
        client.set_client_options("greedy", plasma_store.size * 2)
    assert client.get(client.put(1)) == 1


def test_a_disconnected_client_says_so(client, second):
    second.create(ObjectID.from_random(), 10)
    waiting = threading.Thread(target=lambda: failed.append(_error(second)))
    failed = []
    waiting.start()
    time.sleep(0.2)
    second.disconnect()
    waiting.join(10)
    assert [type(one) for one in failed] == [errors.PlasmaClosed]
    with pytest.raises(errors.PlasmaClosed, match="disconnected"):
        second.list()
    second.disconnect()
    programs.wait_until(lambda: client.list() == {}, "what was not sealed goes")


def _error(client):
    try:
        client.get(ObjectID.from_random())
    except Exception as error:
        return error


def test_ids_have_the_methods_of_pyarrow(client):
    one = ObjectID.from_random()
    assert one.binary() == bytes(one) and len({ObjectID.from_random() for _ in range(100)}) == 100
    assert one.batch_id == 0 and ObjectID(one.hex()) == one
    pyarrow_plasma = pytest.importorskip("pyarrow.plasma")
    name = pyarrow_plasma.ObjectID(bytes(range(20)))
    client.put(1, name)
    assert client.get(name) == 1 and client.contains(bytes(range(20)))


def test_connecting_where_no_store_is(tmp_path):
    begin = time.monotonic()
    with pytest.raises(errors.PlasmaConnectionLost, match="there is no object store at"):
        plasma.connect(tmp_path / "nothing", num_retries=2)
    assert 0.2 <= time.monotonic() - begin < 5
    with pytest.raises(ConnectionError, match="at most 107 bytes, found 200"):
        plasma.connect("x" * 200)


def test_connecting_waits_for_a_store_that_is_starting(start, tmp_path):
    store = start(programs.Store)
    store.kill()
    store.socket.unlink(missing_ok=True)
    timer = threading.Timer(0.3, store.start)
    timer.start()
    with plasma.connect(store.socket) as client:
        assert client.get(client.put(1)) == 1
    timer.join()
