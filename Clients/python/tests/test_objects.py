"""Objects and tasks by hand: free, pin, checkpoint, cancel, references."""

import asyncio

import pytest

import gcs


def hexadecimal(ref):
    return bytes(ref).hex()


def has_object(server, ref):
    return server.client().exists(f"OBJECT:{hexadecimal(ref)}") == 1


def add_object(server, ref):
    server.client().execute_command("GCS.OBJECT", "ADD", bytes(ref), "n", 1)
    return ref


def test_freed_objects_go_and_their_tasks_if_asked_for(connected, server):
    with gcs.batch() as b:
        tasks = [b.add_task("spec"), b.add_task("spec")]
        first, second = [add_object(server, task.returns(1)) for task in tasks]
        assert gcs.free(first) == 1 and gcs.free(first) == 0
        assert b.info().tasks == 2 and b.info().objects == 1
        assert gcs.free([first, second], tasks=True) == 1
        assert b.info().tasks == 0 and b.info().objects == 0


def test_what_a_freed_object_was_made_from_goes_too_if_asked_for(connected, server):
    with gcs.batch() as b:
        given = add_object(server, b.new_object_id())
        users = [b.add_task("spec", args=[given], state="FINISHED") for _ in range(2)]
        first, second = [add_object(server, task.returns(1)) for task in users]
        assert gcs.free(first, recursive=True) == 1 and has_object(server, given)
        assert gcs.free(second, tasks=True, recursive=True) == 2
        assert b.info().tasks == 1 and b.info().objects == 0


def test_a_pinned_object_outlives_its_batch_until_it_is_unpinned(connected, server):
    with gcs.batch() as b:
        ref = add_object(server, b.new_object_id())
        assert gcs.pin(ref) == 1 and gcs.pin([ref]) == 0
        assert gcs.free(ref) == 0
    assert has_object(server, ref)
    assert gcs.unpin(ref) == 1
    assert not has_object(server, ref)
    with pytest.raises(gcs.BatchEnded):
        gcs.pin(ref)


def test_a_batch_waits_for_one_that_depends_on_it(connected):
    first, second = gcs.open_batch(gcs.start_batch()), gcs.open_batch(gcs.start_batch())
    assert second.depend_on(first) and not second.depend_on(first.id)
    assert first.end() == gcs.Outcome.DEFERRED
    assert second.info().depends_on == (first.id,)
    assert second.end() == gcs.Outcome.COLLECTED
    with pytest.raises(gcs.BatchEnded):
        first.info()


def test_a_checkpoint_lets_go_of_what_came_before(connected):
    first, second = gcs.open_batch(gcs.start_batch()), gcs.open_batch(gcs.start_batch())
    actor = second.new_task_id()
    saved = first.add_task("one", actor=actor)
    second.add_task("two", actor=actor)
    assert first.end() == gcs.Outcome.DEFERRED
    gcs.checkpoint(actor, saved)
    with pytest.raises(gcs.BatchEnded):
        first.info()
    second.end()


def test_a_task_is_cancelled_by_telling_those_who_listen(connected, server):
    with gcs.batch() as b:
        task = b.add_task("spec", state="RUNNING")
        assert gcs.cancel_task(task) == 0
        with server.client().pubsub() as listener:
            listener.subscribe(f"TASK:{hexadecimal(task)}")
            assert listener.get_message(timeout=5)["type"] == "subscribe"
            assert gcs.cancel_task(task) == 1
            assert b"cancel" in listener.get_message(timeout=5)["data"]
        gcs.set_task_state(task, "CANCELLED")
        assert server.client().hget(f"TASK:{hexadecimal(task)}", "state") == b"CANCELLED"
        with pytest.raises(gcs.Refused):
            gcs.cancel_task(b.new_task_id())


def test_references_are_counted_and_the_last_one_takes_the_object_along(connected, server):
    server.client().config_set("reference-counting", "yes")
    with gcs.batch() as b:
        ref, other = (add_object(server, b.new_object_id()) for _ in range(2))
        assert gcs.add_reference("n", 1, ref, size=1, site="driver.py:3", driver=True)
        assert not gcs.add_reference("n", 1, ref)
        assert gcs.add_reference("n", 2, ref, gcs.ReferenceType.PENDING_TASK)
        assert gcs.add_reference("n", 3, other, "ACTOR_HANDLE")
        assert gcs.clear_references("n", 1) == 1
        assert has_object(server, ref)
        assert not gcs.remove_reference("n", 2, ref)
        assert gcs.remove_reference("n", 2, ref, gcs.ReferenceType.PENDING_TASK)
        assert not has_object(server, ref)
        assert gcs.clear_references("n") == 1
        assert not has_object(server, other)
        with pytest.raises(ValueError):
            gcs.add_reference("n", 1, ref, "NO_SUCH_KIND")


def test_the_same_for_asyncio(connected, server):
    async def job():
        client = gcs.asynchronous()
        async with gcs.batch() as b, gcs.batch() as inner:
            ref = add_object(server, b.new_object_id())
            assert await client.pin(ref) == 1 and await client.unpin(ref) == 1
            assert await client.add_reference("n", 1, ref)
            assert await client.remove_reference("n", 1, ref)
            assert await client.clear_references("n") == 0
            task = await b.add_task("spec", actor=ref)
            await client.checkpoint(ref, task)
            await client.set_task_state(task, "FINISHED")
            assert await client.cancel_task(task) == 0
            assert await b.depend_on(inner)
            assert await client.free(ref) == 1
        await client.aclose()

    asyncio.run(job())
