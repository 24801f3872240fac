"""asyncio and threads: each task in its own batch, and no id in another's."""

import asyncio
import random
import threading

import pytest

import gcs
import programs

TASK_COUNT = 1000
THREAD_COUNT = 32
IDS_PER_BATCH = 3


def owners(server, refs):
    """The batch that the server says each object belongs to."""
    pipeline = server.client().pipeline(transaction=False)
    for ref in refs:
        pipeline.execute_command("HGET", f"OBJECT:{ref.hex()}", "batch")
    return [int(owner) for owner in pipeline.execute()]


def test_a_thousand_tasks_each_in_its_own_batch(connected, server):
    made = {}

    async def one(number, arrived, gate):
        async with gcs.batch(name=f"task {number}") as b:
            arrived.append(number)
            if len(arrived) == TASK_COUNT:
                gate.set()
            await gate.wait()  # all thousand batches are open now
            refs = []
            for _ in range(IDS_PER_BATCH):
                await asyncio.sleep(random.random() / 100)
                assert gcs.get_current_batch_id() == b.id
                refs.append(b.new_object_id())
                await b.add_task("work", args=[refs[-1]])
                await gcs.asynchronous().run(gcs.client.commands.Request(
                    ("GCS.OBJECT", "ADD", refs[-1], "n1", 1), int))
            async with gcs.batch() as inner:
                assert (await inner.info()).parent == b.id
            info = await b.info()
            assert (info.name, info.tasks, info.objects) == (
                f"task {number}", IDS_PER_BATCH, IDS_PER_BATCH)
            assert owners(server, refs) == [b.id] * IDS_PER_BATCH
            made[b.id] = refs
        assert gcs.get_current_batch_id() == gcs.ROOT

    async def main():
        arrived, gate = [], asyncio.Event()
        await asyncio.gather(*(one(number, arrived, gate) for number in range(TASK_COUNT)))
        await gcs.asynchronous().aclose()

    asyncio.run(main())
    assert len(made) == TASK_COUNT
    every = [ref for refs in made.values() for ref in refs]
    assert len(set(every)) == TASK_COUNT * IDS_PER_BATCH
    assert all(ref.batch_id == batch for batch, refs in made.items() for ref in refs)
    assert server.client().keys("TASK:*") == server.client().keys("OBJECT:*") == []


def test_threads_each_in_their_own_batches(connected, server):
    barrier = threading.Barrier(THREAD_COUNT)
    made, failures = {}, []

    def one(number):
        try:
            for turn in range(5):
                with gcs.batch(name=f"thread {number}") as b:
                    barrier.wait(20)
                    refs = [b.new_object_id() for _ in range(IDS_PER_BATCH)]
                    for ref in refs:
                        server.client().execute_command("GCS.OBJECT", "ADD", ref, "n1", 1)
                    with gcs.batch() as inner:
                        assert inner.info().parent == b.id == inner.info().parent
                        assert gcs.get_current_batch_id() == inner.id
                    assert gcs.get_current_batch_id() == b.id
                    assert owners(server, refs) == [b.id] * IDS_PER_BATCH
                    assert b.info().objects == IDS_PER_BATCH
                    made[b.id] = refs
                assert gcs.get_current_batch_id() == gcs.ROOT
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(THREAD_COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert len(made) == THREAD_COUNT * 5
    every = [ref for refs in made.values() for ref in refs]
    assert len({ref[8:16] for ref in every}) == len(every) == THREAD_COUNT * 5 * IDS_PER_BATCH
    assert all(ref.batch_id == batch for batch, refs in made.items() for ref in refs)


def test_nested_blocks_put_and_get(cluster, store):
    async def main():
        async with gcs.batch() as outer:
            async with gcs.batch() as inner:
                assert (await inner.info()).parent == outer.id
                kept, dropped = await inner.put("kept"), await inner.put("dropped")
                assert await inner.keep(kept) == 1
            assert await outer.get(kept) == "kept"
            client = store.client()
            programs.wait_until(lambda: len(client.list()) == 1, "the store is emptied")
            with pytest.raises(gcs.ObjectNotFound):
                await outer.get(dropped)
        await gcs.asynchronous().aclose()

    asyncio.run(main())


def test_an_exception_and_a_cancellation_end_the_batch(connected, server):
    async def fails():
        async with gcs.batch():
            raise ZeroDivisionError

    async def waits(started):
        async with gcs.batch():
            started.set()
            await asyncio.sleep(3600)

    async def main():
        with pytest.raises(ZeroDivisionError):
            await fails()
        started = asyncio.Event()
        task = asyncio.create_task(waits(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gcs.asynchronous().aclose()

    asyncio.run(main())
    assert server.client().keys("GC:*") == [b"GC:0"]


def test_a_cancellation_at_any_moment_leaves_no_batch(connected, server):
    """Cancels after 0, 1, 2 ... turns of the loop: during START, in the block and during END."""
    async def block():
        async with gcs.batch(timeout=None):
            await asyncio.sleep(0)

    async def main():
        cancelled = 0
        for turns in range(40):
            task = asyncio.create_task(block())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                cancelled += 1
            programs.wait_until(
                lambda: server.client().keys("GC:*") == [b"GC:0"], f"{turns} turns", seconds=2)
        assert cancelled > 1
        await gcs.asynchronous().aclose()

    asyncio.run(main())


async def keep_the_connection_busy(milliseconds):
    """Begins a command that takes so long; for a pool of one connection."""
    words = ("XREAD", "BLOCK", milliseconds, "STREAMS", "gc:log", "$")
    task = asyncio.create_task(
        gcs.asynchronous().run(gcs.client.commands.Request(words, lambda reply: reply)))
    await asyncio.sleep(0.05)
    return task


def test_an_end_that_waits_is_carried_out_though_cancelled_twice(connected, server, monkeypatch):
    monkeypatch.setattr("gcs.aio.CONNECTION_COUNT_MAX", 1)

    async def block(started):
        async with gcs.batch():
            started.set()
            await asyncio.sleep(3600)

    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(block(started))
        await started.wait()
        busy = await keep_the_connection_busy(500)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.client().keys("GC:*") == [b"GC:0"]
        await busy
        await gcs.asynchronous().aclose()

    asyncio.run(main())


def test_a_lease_is_renewed_while_the_end_waits(connected, monkeypatch):
    monkeypatch.setattr("gcs.aio.CONNECTION_COUNT_MAX", 1)

    async def main():
        async with gcs.batch(timeout=1) as b:
            busy = await keep_the_connection_busy(2500)
        # Not reached when the time was over first: leaving the block would raise BatchEnded.
        with pytest.raises(gcs.BatchEnded):
            await b.info()
        await busy
        await gcs.asynchronous().aclose()

    asyncio.run(main())


def test_start_and_end_in_different_tasks_and_loops(connected):
    async def start():
        return await gcs.asynchronous().start_batch(name="elsewhere")

    async def end(batch):
        handle = gcs.asynchronous().open_batch(batch)
        assert (await handle.info()).name == "elsewhere"
        ref = handle.new_object_id()
        async with gcs.batch() as other:
            assert await gcs.asynchronous().transfer_ownership(ref, other) == 1
        assert await handle.end() is gcs.Outcome.COLLECTED
        with pytest.raises(gcs.BatchEnded):
            await gcs.asynchronous().destroy_batch(batch)

    asyncio.run(end(asyncio.run(start())))
    with pytest.raises(gcs.NoSuchBatch):
        asyncio.run(gcs.asynchronous().delete_batch(77))
