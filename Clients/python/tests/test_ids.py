"""The shape of ids, and that they are unique in threads, processes and after a fork."""

import multiprocessing
import pickle
import threading

import pytest

import gcs
from gcs import ids


def test_an_id_is_batch_unique_part_and_index():
    put = ids.new_object_id(42)
    assert len(put) == 20 and put[:8] == (42).to_bytes(8, "big")
    assert put.batch_id == 42 and put.is_put and put.object_index == 1 << 31 | 1
    task = ids.new_task_id(gcs.ids.BATCH_MAX)
    assert task.batch_id == gcs.ids.BATCH_MAX and task.object_index == 0
    result = task.returns(2)
    assert result.object_index == 2 and not result.is_put and result.task_id == task
    assert task[8:16] != put[8:16]


def test_ids_go_through_hex_and_pickle():
    ref = ids.new_object_id(7)
    assert str(ref) == ref.hex() and gcs.ObjectID(ref.hex()) == ref
    copy = pickle.loads(pickle.dumps(ref))
    assert copy == ref and type(copy) is gcs.ObjectID
    assert repr(ref) == f"ObjectID('{ref.hex()}')"


@pytest.mark.parametrize("value", [b"", b"x" * 19, b"x" * 21, "00", "00" * 21])
def test_an_id_of_another_length_is_refused(value):
    with pytest.raises(ValueError, match="20 bytes"):
        gcs.ObjectID(value)


def test_what_no_id_can_hold_is_refused():
    for batch in (-1, 1 << 63):
        with pytest.raises(ValueError, match="a batch is 0 to"):
            ids.new_object_id(batch)
    for index in (0, 1 << 31):
        with pytest.raises(ValueError, match="index"):
            ids.new_task_id(1).returns(index)


def test_new_batch_ids_are_ids_of_batches():
    found = {gcs.new_batch_id() for _ in range(1000)}
    assert len(found) == 1000
    assert all(1 << 62 <= batch <= ids.BATCH_MAX for batch in found)


def test_a_used_up_counter_takes_a_new_prefix():
    parts = ids._UniqueParts()
    first = parts.next()
    parts._count = (1 << 24) - 1
    last, next_one = parts.next(), parts.next()
    assert first[:5] == last[:5] != next_one[:5]
    assert last[5:] == b"\xff" * 3 and next_one[5:] == bytes(3)


def test_ids_are_unique_in_threads_and_processes():
    context = multiprocessing.get_context("fork")
    ids.new_object_id(1)  # before the forks, so that they could inherit the prefix
    queue = context.Queue()
    processes = [context.Process(target=_send_ids, args=(queue,)) for _ in range(4)]
    for process in processes:
        process.start()
    found = [ref for _ in processes for ref in queue.get(timeout=10)]
    for process in processes:
        process.join(10)
    threads = [threading.Thread(target=lambda: found.extend(_some_ids())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12_000 and len({ref[8:16] for ref in found}) == 12_000


def _some_ids():
    return [ids.new_object_id(1) for _ in range(1000)]


def _send_ids(queue):
    queue.put(_some_ids())
