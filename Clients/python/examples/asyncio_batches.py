"""asyncio: tasks side by side, each in a batch of its own."""

import asyncio

import gcs


async def job(number):
    async with gcs.batch(name=f"job {number}") as b:
        ref = await b.put([number] * 3)
        await asyncio.sleep(0.01)
        # The other jobs have begun in between: the current batch here is still ours.
        assert gcs.get_current_batch_id() == b.id == ref.batch_id
        return sum(await b.get(ref))


async def main():
    gcs.connect()
    async with gcs.batch(name="all jobs") as b:
        results = await asyncio.gather(*(job(number) for number in range(20)))
        print("objects left:", (await b.info()).objects)
    print("sum:", sum(results))
    await gcs.asynchronous().aclose()


asyncio.run(main())
