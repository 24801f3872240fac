"""A connection to a server, and to the object store of this machine."""

from __future__ import annotations

import os
import time
import weakref
from typing import Any, Iterable, Optional, TypeVar, Union

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import commands, current, ids
from .aio import AsyncClient
from .batch import DEFAULT_LEASE, Batch, BatchBlock
from .commands import BatchInfo, Outcome, Reference, ReferenceType, Request
from .errors import BatchEnded, translated
from .ids import ObjectID
from .lease import Renewer
from .store import LocalStore

Value = TypeVar("Value")
DEFAULT_ADDRESS = "127.0.0.1:6379"


class Client:
    """Batches of one server; may be used by many threads, and by the children of a fork.

    - `address`: `host:port`, or a URL as redis-py takes it (`unix:///path`, `rediss://host:port`);
      `$GCS_ADDRESS` or 127.0.0.1:6379 when left out.
    - `store`: the socket of this machine's object store; `$GCS_STORE`, or what a node manager
      on this machine told the server, when left out.
    - `reply_timeout`: seconds to wait for the server.
    - `store_client`: `plasma`, the client of this package, or `pyarrow`, for values in the
      serialization of pyarrow 11; `$GCS_STORE_CLIENT` or `plasma` when left out.
    - `options`: more for redis-py's connections: `username`, `password` ...
    """

    def __init__(
        self, address: Optional[str] = None, store: Optional[str] = None, *,
        reply_timeout: float = 30.0, store_client: Optional[str] = None, **options: Any,
    ) -> None:
        address = address or os.environ.get("GCS_ADDRESS") or DEFAULT_ADDRESS
        self.address = address
        url = address if "://" in address else f"redis://{address}"
        # RESP2, and no second try: a START that is sent twice could leave a batch behind.
        options = {"protocol": 2, "socket_timeout": reply_timeout, **options}

        def connect(timeout: float) -> redis.Redis:
            patience = min(timeout, options["socket_timeout"] or timeout)
            pool = redis.ConnectionPool.from_url(
                url, retry=Retry(NoBackoff(), 0),
                **{**options, "socket_timeout": patience, "socket_connect_timeout": patience})
            return redis.Redis.from_pool(pool)

        self._redis = redis.Redis(connection_pool=redis.ConnectionPool.from_url(
            url, retry=Retry(NoBackoff(), 0), **options))
        self._renewer = Renewer(connect)
        self._finalizer = weakref.finalize(self, self._renewer.close)
        self.store = LocalStore(
            store or os.environ.get("GCS_STORE"), self._stores,
            store_client or os.environ.get("GCS_STORE_CLIENT"))
        self.aio = AsyncClient(url, options, self._renewer, self.store, lambda: current.get(self))

    def batch(
        self, name: Optional[str] = None, timeout: Optional[float] = DEFAULT_LEASE, *,
        no_cleanup: bool = False,
    ) -> BatchBlock:
        """A batch for a block, inside the current batch.

        - `timeout`: its lease in seconds, rounded up: renewed while this process lives, so that the
          batch times out when the process is gone; `None` for a batch that waits to be ended.
        - `no_cleanup`: its end leaves everything, until `delete` or `destroy`.
        """
        return BatchBlock(self, name, timeout, no_cleanup)

    def start_batch(
        self, batch_id: Optional[int] = None, *, parent: Optional[int] = None,
        name: Optional[str] = None, timeout: Optional[float] = None, no_cleanup: bool = False,
    ) -> int:
        """Starts a batch that may be ended elsewhere, and returns its id.

        It is part of `parent`, or else of the current batch, and does not become the current one.
        With a `timeout` it is renewed while this process lives, as a block's batch is.
        """
        seconds = commands.lease_seconds(timeout)
        parent = self.get_current_batch_id() if parent is None else parent
        since = time.monotonic()
        batch_id = self.run(commands.start(batch_id, parent, name, seconds, no_cleanup))
        if seconds is not None:
            self._renewer.add(batch_id, seconds, since)
        return batch_id

    def end_batch(self, batch_id: int, *, no_gc: bool = False) -> Outcome:
        """Ends a batch and its children, wherever they were started; `no_gc` leaves everything."""
        with self._renewer.last(batch_id):
            return self.run(commands.end(batch_id, no_gc))

    def destroy_batch(self, batch_id: int) -> int:
        """Collects a batch at once, kept objects too; tells how many records that released."""
        with self._renewer.last(batch_id):
            return self.run(commands.destroy(batch_id))

    def delete_batch(self, batch_id: int) -> None:
        """Collects a batch at once, also one that ended with `no_cleanup`; kept objects stay."""
        with self._renewer.last(batch_id):
            if not self.run(commands.delete(batch_id)):
                self.batch_info(batch_id)  # raises what is wrong

    def renew_batch(self, batch_id: int, timeout: float) -> None:
        """Gives a batch a lease that this process renews from now on, wherever it was started."""
        seconds = commands.lease_seconds(timeout)
        assert seconds is not None
        since = time.monotonic()
        if not self.run(commands.expire(batch_id, seconds)):
            status = self.batch_info(batch_id).status
            raise BatchEnded(f"batch {batch_id} is {status}", "BATCHENDED")
        self._renewer.add(batch_id, seconds, since)

    def transfer_ownership(
        self, refs: "Union[Reference, Iterable[Reference]]", to_batch: Union[int, Batch]
    ) -> int:
        """Gives objects to another batch now; tells how many changed their owner."""
        batch_id = to_batch if isinstance(to_batch, int) else to_batch.id
        return self.run(commands.transfer(refs, batch_id))

    def free(
        self, refs: "Union[Reference, Iterable[Reference]]", *, tasks: bool = False,
        recursive: bool = False,
    ) -> int:
        """Removes objects here and from every store; tells how many. Pinned ones stay.

        `tasks` also removes the records of the tasks that made them. `recursive` also frees what
        these tasks were given, once no other task needs it, and so on upwards.
        """
        return self.run(commands.free(refs, tasks, recursive))

    def pin(self, refs: "Union[Reference, Iterable[Reference]]") -> int:
        """Makes objects stay, whatever ends, until `unpin`; tells how many were not pinned yet."""
        return self.run(commands.pin(refs))

    def unpin(self, refs: "Union[Reference, Iterable[Reference]]") -> int:
        """Lifts pins: an object whose batch has ended goes; tells how many were pinned."""
        return self.run(commands.unpin(refs))

    def set_task_state(self, task: Reference, state: str) -> None:
        """Says how far a task is: PENDING, RUNNING, FINISHED, FAILED, CANCELLED or LOST."""
        self.run(commands.set_task_state(task, state))

    def cancel_task(self, task: Reference) -> int:
        """Asks whoever listens to the channel `TASK:<id>` to end a task; tells how many listen."""
        return self.run(commands.cancel_task(task))

    def checkpoint(self, actor: Reference, task: Reference) -> None:
        """Says that an actor saved its state: nothing behind the task needs what led to it."""
        self.run(commands.checkpoint(actor, task))

    def add_reference(
        self, node: str, pid: int, ref: Reference, kind: ReferenceType = ReferenceType.LOCAL, *,
        size: Optional[int] = None, site: Optional[str] = None, driver: bool = False,
    ) -> bool:
        """Records that a process holds an object, and why; tells whether that is new.

        `site` is where in the program it was taken; `driver` says that the process is one.
        """
        return self.run(
            commands.add_reference(node, pid, kind, ref, size, site, driver))

    def remove_reference(
        self, node: str, pid: int, ref: Reference, kind: ReferenceType = ReferenceType.LOCAL
    ) -> bool:
        """Records that a process does not hold an object any more; tells whether it did.

        With `reference-counting yes` the last reference to go takes the object along.
        """
        return self.run(commands.remove_reference(node, pid, kind, ref))

    def clear_references(self, node: str, pid: Optional[int] = None) -> int:
        """Forgets what a process holds, or all processes of a node; tells how many references."""
        return self.run(commands.clear_references(node, pid))

    def batch_info(self, batch_id: int) -> BatchInfo:
        """What the server knows of a batch."""
        return self.run(commands.info(batch_id))

    def open_batch(self, batch_id: int) -> Batch:
        """A handle of a batch that was started elsewhere; asks the server nothing."""
        return Batch(self, batch_id)

    def get_current_batch_id(self) -> int:
        """The batch of the innermost block in this thread or asyncio task; 0 outside of any."""
        return current.get(self)

    def set_current_batch_id(self, batch_id: int) -> None:
        """Makes a batch the current one, in this thread or asyncio task only; 0 for none."""
        current.set(self, batch_id)

    def put(self, value: Any) -> ObjectID:
        """Stores a value in the local object store, under an id of the current batch."""
        object_id = ids.new_object_id(self.get_current_batch_id())
        self.store.put(object_id, value)
        return object_id

    def get(self, ref: Reference, timeout: Optional[float] = 0) -> Any:
        """Reads a value from the local object store.

        Waits for it up to `timeout` seconds, without end for `None`; then `ObjectNotFound`.
        """
        return self.store.get(ObjectID(ref), timeout)

    def run(self, request: "Request[Value]") -> Value:
        """Sends a command, and reads its reply."""
        with translated():
            reply = self._redis.execute_command(*request.words)
        return request.parse(reply)

    def ping(self) -> None:
        """Checks that the server answers."""
        with translated():
            self._redis.ping()

    def close(self) -> None:
        """Closes the connections; batches that were started with a time-out are renewed no more."""
        self._finalizer()
        self._redis.connection_pool.disconnect()
        self.store.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def _stores(self) -> "list[str]":
        return self.run(commands.stores())
