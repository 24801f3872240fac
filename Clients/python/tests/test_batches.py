"""Batches against the real server: blocks, nesting, keeping, ends elsewhere, errors."""

import contextlib
import multiprocessing
import os
import threading

import pytest

import gcs


def members(server, batch):
    return {member.decode() for member in server.client().smembers(f"GC:{batch}")}


def test_a_block_has_a_batch_that_ends_with_it(connected, server):
    assert gcs.get_current_batch_id() == gcs.ROOT
    with gcs.batch(name="first") as b:
        assert gcs.get_current_batch_id() == b.id
        task = b.add_task("work", state="RUNNING")
        assert members(server, b.id) == {f"TASK:{task.hex()}"}
        info = b.info()
        assert (info.name, info.status, info.parent, info.tasks) == ("first", "active", 0, 1)
        assert 29_000 < info.timeout_ms <= 30_000
    assert gcs.get_current_batch_id() == gcs.ROOT
    with pytest.raises(gcs.BatchEnded, match=f"batch {b.id} has ended"):
        b.info()
    assert server.client().exists(f"TASK:{task.hex()}") == 0


def test_nested_batches_have_parents_and_pass_on_what_they_keep(connected, server):
    with gcs.batch() as outer:
        with gcs.batch() as inner:
            assert inner.info().parent == outer.id
            kept, dropped = inner.new_object_id(), inner.new_object_id()
            for ref in (kept, dropped):
                server.client().execute_command("GCS.OBJECT", "ADD", ref, "n1", 100)
            assert inner.keep(kept) == 1
            assert inner.keep(kept) == 0
            with gcs.batch() as innermost:
                assert innermost.info().parent == inner.id
            assert gcs.get_current_batch_id() == inner.id
        assert gcs.get_current_batch_id() == outer.id
        assert members(server, outer.id) == {f"OBJECT:{kept.hex()}"}
    assert set(server.client().keys()) == {b"GC:0", b"gc:log", b"NODE:n1"}


def test_an_exception_ends_the_batch_and_is_raised(connected):
    with pytest.raises(ZeroDivisionError):
        with gcs.batch() as b:
            1 / 0
    with pytest.raises(gcs.BatchEnded):
        gcs.batch_info(b.id)
    assert gcs.get_current_batch_id() == gcs.ROOT


def test_the_exception_of_the_block_wins_over_that_of_its_end(connected, server, caplog):
    with pytest.raises(ZeroDivisionError):
        with gcs.batch() as b:
            server.kill()
            1 / 0
    assert f"batch {b.id} was not ended" in caplog.text
    assert gcs.get_current_batch_id() == gcs.ROOT


def test_leaving_a_block_whose_batch_was_ended_elsewhere_says_so(connected):
    with pytest.raises(gcs.BatchEnded) as caught:
        with gcs.batch() as b:
            gcs.destroy_batch(b.id)
    assert str(caught.value) == f"BATCHENDED batch {b.id} has ended"
    assert caught.value.code == "BATCHENDED"


def test_a_block_may_end_its_own_batch(connected):
    with gcs.batch() as b:
        assert b.end() is gcs.Outcome.COLLECTED
    with gcs.batch() as b:
        b.delete()
    with gcs.batch() as b:
        b.add_task("work")
        assert b.destroy() == 1


def test_a_batch_without_clean_up_stays_until_it_is_deleted(connected, server):
    with gcs.batch(no_cleanup=True) as b:
        b.add_task("work")
    assert b.info().status == "done"
    assert b.info().timeout_ms is None
    assert server.client().scard(f"GC:{b.id}") == 1
    b.delete()
    with pytest.raises(gcs.BatchEnded):
        b.delete()


def test_start_and_end_in_different_threads(connected, server):
    started = []
    thread = threading.Thread(target=lambda: started.append(gcs.start_batch(name="elsewhere")))
    thread.start()
    thread.join()
    batch, = started
    assert gcs.batch_info(batch).timeout_ms is None
    assert gcs.get_current_batch_id() == gcs.ROOT
    gcs.set_current_batch_id(batch)
    try:
        with gcs.batch() as inner:
            assert inner.info().parent == batch
        assert gcs.get_current_batch_id() == batch
    finally:
        gcs.set_current_batch_id(gcs.ROOT)
    assert gcs.end_batch(batch, no_gc=True) is gcs.Outcome.ENDED
    assert gcs.end_batch(batch) is gcs.Outcome.COLLECTED


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_start_and_end_in_different_processes(connected, server, method):
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_start_in_child, args=(server.address, sender))
    process.start()
    batch, task = receiver.recv()
    process.join(10)
    assert process.exitcode == 0
    assert members(server, batch) == {f"TASK:{task}"}
    assert gcs.end_batch(batch) is gcs.Outcome.COLLECTED


def _start_in_child(address, sender):
    gcs.connect(address)
    batch = gcs.start_batch(gcs.new_batch_id())
    sender.send((batch, gcs.open_batch(batch).add_task("work").hex()))


def test_a_forked_child_that_leaves_the_block_does_not_end_the_batch(connected):
    with gcs.batch() as b:
        with contextlib.ExitStack() as stack:
            inner = stack.enter_context(gcs.batch())
            child = os.fork()
            if child == 0:
                try:
                    stack.close()
                    assert gcs.batch_info(inner.id).status == "active"
                    os._exit(0)
                except BaseException:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert inner.info().status == "active"
        assert b.info().status == "active"


def test_ownership_is_transferred(connected, server):
    with gcs.batch() as source, gcs.batch() as target:
        refs = [source.new_object_id() for _ in range(3)]
        assert gcs.transfer_ownership(refs, target) == 3
        assert gcs.transfer_ownership(refs[0], target.id) == 0
        assert gcs.transfer_ownership(refs[0], source.id) == 1
        assert target.info().objects == 2


def test_an_end_that_has_to_wait_says_so(connected):
    with gcs.batch() as first:
        needed = first.new_object_id()
        gcs.transfer_ownership(needed, first)
        gcs.set_current_batch_id(gcs.ROOT)
        with gcs.batch() as second:
            second.add_task("work", args=[needed])
            assert second.info().depends_on == (first.id,)
            assert first.end() is gcs.Outcome.DEFERRED
            info = first.info()
            assert (info.status, info.dependents) == ("deferred", (second.id,))
    with pytest.raises(gcs.BatchEnded):
        first.info()


def test_a_task_is_recorded_with_all_its_fields(connected, server):
    with gcs.batch() as b:
        argument, actor = b.new_object_id(), b.new_task_id()
        task = b.add_task(b"\x00spec", state="RUNNING", actor=actor, args=[argument])
        reply = server.client().execute_command("GCS.TASK", "GET", task)
        fields = dict(zip(reply[::2], reply[1::2]))
        assert fields[b"spec"] == b"\x00spec" and fields[b"state"].upper() == b"RUNNING"
        assert fields[b"actor"] == actor.hex().encode()
        assert fields[b"args"] == [argument.hex().encode()]


def test_errors_carry_the_words_of_the_server(connected, server):
    with pytest.raises(gcs.NoSuchBatch, match="no such batch 77"):
        gcs.end_batch(77)
    with pytest.raises(gcs.Refused) as caught:
        gcs.end_batch(gcs.ROOT)
    assert caught.value.code == "ERR" and "root" in str(caught.value)
    with gcs.batch() as outer:
        pass
    with pytest.raises(gcs.BatchEnded):
        gcs.start_batch(parent=outer.id)
    with pytest.raises(ValueError, match="positive number of seconds"):
        gcs.batch(timeout=0).__enter__()
    with pytest.raises(gcs.StoreError, match="no node manager has a store"):
        gcs.put(1)
    server.kill()
    with pytest.raises(gcs.ServerUnavailable):
        gcs.start_batch()


def test_the_connection_survives_a_restart_of_the_server(connected, server):
    with gcs.batch():
        pass
    server.kill()
    server.start()
    with gcs.batch() as b:
        assert b.info().status == "active"


def test_without_a_connection_functions_say_so():
    gcs.disconnect()
    with pytest.raises(gcs.NotConnected, match="gcs.connect"):
        gcs.batch()


def test_a_block_begins_once(connected):
    block = gcs.batch()
    with block:
        pass
    with pytest.raises(RuntimeError):
        block.__enter__()


def test_two_clients_have_current_batches_of_their_own(connected, start):
    import programs

    with gcs.Client(start(programs.Server).address) as other, gcs.batch() as here:
        with other.batch() as there:
            assert there.info().parent == gcs.ROOT
            assert gcs.get_current_batch_id() == here.id
            assert other.get_current_batch_id() == there.id
        with pytest.raises(gcs.NoSuchBatch):
            other.batch_info(here.id)
