"""Batches as handles, and as blocks of `with` and `async with`."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from . import commands, current, ids
from .commands import BatchInfo, Outcome, Reference
from .errors import BatchEnded, Error
from .ids import ObjectID, TaskID

if TYPE_CHECKING:
    from .aio import AsyncClient
    from .client import Client

log = logging.getLogger("gcs")

DEFAULT_LEASE = 30.0
"""Seconds that a batch of a `with` block outlives the process that began it."""


class _Handle:
    """What a batch can do without asking the server."""

    def __init__(self, batch_id: int) -> None:
        self._id = batch_id
        self._pid = os.getpid()
        self._is_ended = False

    @property
    def id(self) -> int:
        """The batch's number."""
        return self._id

    def new_object_id(self) -> ObjectID:
        """A new id of this batch, for an object to be put."""
        return ids.new_object_id(self._id)

    def new_task_id(self) -> TaskID:
        """A new id of this batch, for a task; `.returns(1)` is its first result."""
        return ids.new_task_id(self._id)

    @property
    def _is_to_be_ended_here(self) -> bool:
        # A child that was forked inside the block and leaves it must not end its parent's batch.
        return not self._is_ended and self._pid == os.getpid()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id}>"


class Batch(_Handle):
    """A batch: what `with gcs.batch()` gives, and `gcs.open_batch(batch_id)`."""

    def __init__(self, client: "Client", batch_id: int) -> None:
        super().__init__(batch_id)
        self._client = client

    def put(self, value: Any, object_id: Optional[ObjectID] = None) -> ObjectID:
        """Stores a value in the local object store, under an id of this batch."""
        object_id = self.new_object_id() if object_id is None else object_id
        self._client.store.put(object_id, value)
        return object_id

    def get(self, ref: Reference, timeout: Optional[float] = 0) -> Any:
        """Reads a value from the local object store, as `gcs.get` does."""
        return self._client.get(ref, timeout)

    def keep(self, *refs: Reference) -> int:
        """Marks objects to pass to the parent when the batch ends; tells how many were not yet."""
        return self._client.run(commands.keep(self._id, refs))

    def depend_on(self, other: Union[int, "Batch"]) -> bool:
        """Makes the end of another batch wait while this one is active; tells whether it is new."""
        batch_id = other if isinstance(other, int) else other.id
        return self._client.run(commands.depend(self._id, batch_id))

    def add_task(
        self, spec: Union[str, bytes], *, task_id: Optional[TaskID] = None,
        state: Optional[str] = None, actor: Optional[Reference] = None,
        args: Iterable[Reference] = (),
    ) -> TaskID:
        """Records a task of this batch, under a new id unless one is given."""
        task_id = self.new_task_id() if task_id is None else task_id
        return self._client.run(commands.add_task(task_id, spec, state, actor, args))

    def info(self) -> BatchInfo:
        """What the server knows of the batch; `BatchEnded` once it is collected."""
        return self._client.batch_info(self._id)

    def end(self, *, no_gc: bool = False) -> Outcome:
        """Ends the batch now; leaving its block then does nothing."""
        outcome = self._client.end_batch(self._id, no_gc=no_gc)
        self._is_ended = True
        return outcome

    def delete(self) -> None:
        """Collects the batch at once, also one that ended with `no_cleanup`; kept objects stay."""
        self._client.delete_batch(self._id)
        self._is_ended = True

    def destroy(self) -> int:
        """Collects the batch at once, kept objects too; tells how many records that released."""
        released = self._client.destroy_batch(self._id)
        self._is_ended = True
        return released


class AsyncBatch(_Handle):
    """A batch: what `async with gcs.batch()` gives."""

    def __init__(self, client: "AsyncClient", batch_id: int) -> None:
        super().__init__(batch_id)
        self._client = client

    async def put(self, value: Any, object_id: Optional[ObjectID] = None) -> ObjectID:
        """Stores a value in the local object store, under an id of this batch."""
        object_id = self.new_object_id() if object_id is None else object_id
        return await self._client.put(value, object_id)

    async def get(self, ref: Reference, timeout: Optional[float] = 0) -> Any:
        """Reads a value from the local object store, as `gcs.get` does."""
        return await self._client.get(ref, timeout)

    async def keep(self, *refs: Reference) -> int:
        """Marks objects to pass to the parent when the batch ends; tells how many were not yet."""
        return await self._client.run(commands.keep(self._id, refs))

    async def depend_on(self, other: Union[int, "AsyncBatch"]) -> bool:
        """Makes the end of another batch wait while this one is active; tells whether it is new."""
        batch_id = other if isinstance(other, int) else other.id
        return await self._client.run(commands.depend(self._id, batch_id))

    async def add_task(
        self, spec: Union[str, bytes], *, task_id: Optional[TaskID] = None,
        state: Optional[str] = None, actor: Optional[Reference] = None,
        args: Iterable[Reference] = (),
    ) -> TaskID:
        """Records a task of this batch, under a new id unless one is given."""
        task_id = self.new_task_id() if task_id is None else task_id
        return await self._client.run(commands.add_task(task_id, spec, state, actor, args))

    async def info(self) -> BatchInfo:
        """What the server knows of the batch; `BatchEnded` once it is collected."""
        return await self._client.batch_info(self._id)

    async def end(self, *, no_gc: bool = False) -> Outcome:
        """Ends the batch now; leaving its block then does nothing."""
        outcome = await self._client.end_batch(self._id, no_gc=no_gc)
        self._is_ended = True
        return outcome

    async def delete(self) -> None:
        """Collects the batch at once, also one that ended with `no_cleanup`; kept objects stay."""
        await self._client.delete_batch(self._id)
        self._is_ended = True

    async def destroy(self) -> int:
        """Collects the batch at once, kept objects too; tells how many records that released."""
        released = await self._client.destroy_batch(self._id)
        self._is_ended = True
        return released


class BatchBlock:
    """`with` or `async with` this: the block has a batch of its own, the current one inside.

    The batch ends with the block, after an exception too; that one is then raised, and a failure to
    end the batch only logged.
    """

    def __init__(
        self, client: "Client", name: Optional[str], timeout: Optional[float], no_cleanup: bool
    ) -> None:
        self._client = client
        self._options = {"name": name, "timeout": timeout, "no_cleanup": no_cleanup}
        self._batch: Union[Batch, AsyncBatch, None] = None
        self._before = ids.ROOT

    def __enter__(self) -> Batch:
        self._check_unused()
        batch = Batch(self._client, self._client.start_batch(**self._options))  # type: ignore
        self._entered(batch)
        return batch

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        batch = self._left()
        if isinstance(batch, Batch) and batch._is_to_be_ended_here:
            try:
                batch.end()
            except Error as failure:
                self._end_failed(batch, failure, error)

    async def __aenter__(self) -> AsyncBatch:
        self._check_unused()
        client = self._client.aio
        batch = AsyncBatch(client, await client.start_batch(**self._options))  # type: ignore
        self._entered(batch)
        return batch

    async def __aexit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        batch = self._left()
        if isinstance(batch, AsyncBatch) and batch._is_to_be_ended_here:
            try:
                await batch.end()
            except Error as failure:
                self._end_failed(batch, failure, error)

    def _check_unused(self) -> None:
        if self._batch is not None:
            raise RuntimeError("this batch has begun already: call gcs.batch() for another")

    def _entered(self, batch: Union[Batch, AsyncBatch]) -> None:
        self._batch = batch
        self._before = current.set(self._client, batch.id)

    def _left(self) -> Union[Batch, AsyncBatch, None]:
        # Put back by value: the block may be left in another context than it was entered in.
        current.set(self._client, self._before)
        return self._batch

    def _end_failed(
        self, batch: _Handle, failure: Error, error: Optional[BaseException]
    ) -> None:
        if error is None:
            raise failure
        if not isinstance(failure, BatchEnded):
            log.warning("batch %d was not ended: %s", batch.id, failure)
