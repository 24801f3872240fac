"""The same as `Client`, for asyncio; reached as `client.aio`, or `gcs.asynchronous()`."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Coroutine, Dict, Iterable, Optional, TypeVar, Union

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from . import commands
from .batch import AsyncBatch
from .commands import BatchInfo, Outcome, Reference, ReferenceType, Request
from .errors import BatchEnded, translated
from .ids import ObjectID
from .lease import Renewer
from .store import LocalStore

Value = TypeVar("Value")

CONNECTION_COUNT_MAX = 64
"""Connections of one event loop; a task that finds all of them busy waits."""


class AsyncClient:
    """Batches of one server, for asyncio; each event loop has connections of its own.

    A START or END is carried out even when the task that awaits it is cancelled.
    """

    def __init__(
        self, url: str, options: Dict[str, Any], renewer: Renewer, store: LocalStore,
        current_batch_id: Callable[[], int],
    ) -> None:
        self._url = url
        self._options = options
        self._renewer = renewer
        self._store = store
        self._current_batch_id = current_batch_id
        self._clients: Dict[asyncio.AbstractEventLoop, redis.asyncio.Redis] = {}

    async def start_batch(
        self, batch_id: Optional[int] = None, *, parent: Optional[int] = None,
        name: Optional[str] = None, timeout: Optional[float] = None, no_cleanup: bool = False,
    ) -> int:
        """Starts a batch that may be ended elsewhere, and returns its id; as `Client` does."""
        seconds = commands.lease_seconds(timeout)
        parent = self._current_batch_id() if parent is None else parent
        since = time.monotonic()
        start = asyncio.ensure_future(
            self.run(commands.start(batch_id, parent, name, seconds, no_cleanup)))
        try:
            batch_id = await asyncio.shield(start)
        except asyncio.CancelledError:
            # Nobody would ever learn of this batch.
            await _completed(self._undo(start))
            raise
        if seconds is not None:
            self._renewer.add(batch_id, seconds, since)
        return batch_id

    async def end_batch(self, batch_id: int, *, no_gc: bool = False) -> Outcome:
        """Ends a batch and its children, wherever they were started; `no_gc` leaves everything."""
        with self._renewer.last(batch_id):
            return await _completed(self.run(commands.end(batch_id, no_gc)))

    async def destroy_batch(self, batch_id: int) -> int:
        """Collects a batch at once, kept objects too; tells how many records that released."""
        with self._renewer.last(batch_id):
            return await _completed(self.run(commands.destroy(batch_id)))

    async def delete_batch(self, batch_id: int) -> None:
        """Collects a batch at once, also one that ended with `no_cleanup`; kept objects stay."""
        with self._renewer.last(batch_id):
            if not await _completed(self.run(commands.delete(batch_id))):
                await self.batch_info(batch_id)  # raises what is wrong

    async def renew_batch(self, batch_id: int, timeout: float) -> None:
        """Gives a batch a lease that this process renews from now on, wherever it was started."""
        seconds = commands.lease_seconds(timeout)
        assert seconds is not None
        since = time.monotonic()
        if not await self.run(commands.expire(batch_id, seconds)):
            status = (await self.batch_info(batch_id)).status
            raise BatchEnded(f"batch {batch_id} is {status}", "BATCHENDED")
        self._renewer.add(batch_id, seconds, since)

    async def transfer_ownership(
        self, refs: "Union[Reference, Iterable[Reference]]", to_batch: Union[int, AsyncBatch]
    ) -> int:
        """Gives objects to another batch now; tells how many changed their owner."""
        batch_id = to_batch if isinstance(to_batch, int) else to_batch.id
        return await self.run(commands.transfer(refs, batch_id))

    async def free(
        self, refs: "Union[Reference, Iterable[Reference]]", *, tasks: bool = False,
        recursive: bool = False,
    ) -> int:
        """Removes objects here and from every store; tells how many. Pinned ones stay.

        `tasks` also removes the records of the tasks that made them. `recursive` also frees what
        these tasks were given, once no other task needs it, and so on upwards.
        """
        return await self.run(commands.free(refs, tasks, recursive))

    async def pin(self, refs: "Union[Reference, Iterable[Reference]]") -> int:
        """Makes objects stay, whatever ends, until `unpin`; tells how many were not pinned yet."""
        return await self.run(commands.pin(refs))

    async def unpin(self, refs: "Union[Reference, Iterable[Reference]]") -> int:
        """Lifts pins: an object whose batch has ended goes; tells how many were pinned."""
        return await self.run(commands.unpin(refs))

    async def set_task_state(self, task: Reference, state: str) -> None:
        """Says how far a task is: PENDING, RUNNING, FINISHED, FAILED, CANCELLED or LOST."""
        await self.run(commands.set_task_state(task, state))

    async def cancel_task(self, task: Reference) -> int:
        """Asks whoever listens to the channel `TASK:<id>` to end a task; tells how many listen."""
        return await self.run(commands.cancel_task(task))

    async def checkpoint(self, actor: Reference, task: Reference) -> None:
        """Says that an actor saved its state: nothing behind the task needs what led to it."""
        await self.run(commands.checkpoint(actor, task))

    async def add_reference(
        self, node: str, pid: int, ref: Reference, kind: ReferenceType = ReferenceType.LOCAL, *,
        size: Optional[int] = None, site: Optional[str] = None, driver: bool = False,
    ) -> bool:
        """Records that a process holds an object, and why; tells whether that is new.

        `site` is where in the program it was taken; `driver` says that the process is one.
        """
        return await self.run(
            commands.add_reference(node, pid, kind, ref, size, site, driver))

    async def remove_reference(
        self, node: str, pid: int, ref: Reference, kind: ReferenceType = ReferenceType.LOCAL
    ) -> bool:
        """Records that a process does not hold an object any more; tells whether it did.

        With `reference-counting yes` the last reference to go takes the object along.
        """
        return await self.run(commands.remove_reference(node, pid, kind, ref))

    async def clear_references(self, node: str, pid: Optional[int] = None) -> int:
        """Forgets what a process holds, or all processes of a node; tells how many references."""
        return await self.run(commands.clear_references(node, pid))

    async def batch_info(self, batch_id: int) -> BatchInfo:
        """What the server knows of a batch."""
        return await self.run(commands.info(batch_id))

    def open_batch(self, batch_id: int) -> AsyncBatch:
        """A handle of a batch that was started elsewhere; asks the server nothing."""
        return AsyncBatch(self, batch_id)

    async def put(self, value: Any, object_id: ObjectID) -> ObjectID:
        """Stores a value in the local object store, on another thread."""
        await asyncio.get_running_loop().run_in_executor(None, self._store.put, object_id, value)
        return object_id

    async def get(self, ref: Reference, timeout: Optional[float] = 0) -> Any:
        """Reads a value from the local object store, on another thread; see `Client.get`."""
        return await asyncio.get_running_loop().run_in_executor(
            None, self._store.get, ObjectID(ref), timeout)

    async def run(self, request: "Request[Value]") -> Value:
        """Sends a command, and reads its reply."""
        with translated():
            reply = await self._redis().execute_command(*request.words)
        return request.parse(reply)

    async def aclose(self) -> None:
        """Closes the connections of the running event loop."""
        found = self._clients.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.connection_pool.disconnect()

    async def _undo(self, start: "asyncio.Future[int]") -> None:
        batch_id = await start
        await self.run(commands.end(batch_id, no_gc=False))

    def _redis(self) -> redis.asyncio.Redis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            self._forget_closed_loops()
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                self._url, max_connections=CONNECTION_COUNT_MAX, timeout=None,
                retry=Retry(NoBackoff(), 0), **self._options)
            client = redis.asyncio.Redis(connection_pool=pool)
            self._clients[loop] = client
        return client

    def _forget_closed_loops(self) -> None:
        """Gives up what `aclose` was not called for; a connection holds its loop."""
        for loop in list(self._clients):
            if loop.is_closed():
                self._clients.pop(loop, None)


async def _completed(work: "Coroutine[Any, Any, Value]") -> Value:
    """Awaits to the end; a cancellation in between is raised after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen, or asyncio would report that nobody looked
        raise
