"""Batches of a Global Control Store: what a batch makes goes when it ends.

    import gcs

    gcs.connect()
    with gcs.batch(name="job") as b:
        ref = b.put([1, 2, 3])
        b.keep(ref)

The functions here use the default connection of this process, made by `connect`; a `Client` has the
same ones as methods.
"""

from __future__ import annotations

from typing import Any, Iterable, Optional, Union

from .aio import AsyncClient
from .batch import DEFAULT_LEASE, AsyncBatch, Batch, BatchBlock
from .client import DEFAULT_ADDRESS, Client
from .commands import BatchInfo, Outcome, Reference, ReferenceType
from .errors import (
    BatchEnded, Error, NoSuchBatch, NotConnected, ObjectNotFound, Refused, ServerUnavailable,
    StoreError)
from .ids import ROOT, ObjectID, TaskID, new_batch_id

__version__ = "0.1.0"

__all__ = [
    "AsyncBatch", "AsyncClient", "Batch", "BatchBlock", "BatchEnded", "BatchInfo", "Client",
    "DEFAULT_ADDRESS", "DEFAULT_LEASE", "Error", "NoSuchBatch", "NotConnected", "ObjectID",
    "ObjectNotFound", "Outcome", "ROOT", "Reference", "ReferenceType", "Refused",
    "ServerUnavailable", "StoreError", "TaskID", "add_reference", "asynchronous", "batch",
    "batch_info", "cancel_task", "checkpoint", "clear_references", "connect", "default_client",
    "destroy_batch", "disconnect", "end_batch", "free", "get", "get_current_batch_id",
    "new_batch_id", "open_batch", "pin", "put", "remove_reference", "renew_batch",
    "set_current_batch_id", "set_task_state", "start_batch", "transfer_ownership", "unpin",
]

_default: Optional[Client] = None


def connect(
    address: Optional[str] = None, store: Optional[str] = None, *, reply_timeout: float = 30.0,
    store_client: Optional[str] = None, **options: Any,
) -> Client:
    """Makes the default connection of this process, in place of the one before; see `Client`.

    Checks that the server answers. A batch that was begun on the connection before stays there, and
    is renewed while somebody holds that connection.
    """
    global _default
    client = Client(
        address, store, reply_timeout=reply_timeout, store_client=store_client, **options)
    client.ping()
    _default = client
    return client


def disconnect() -> None:
    """Closes the default connection; its batches are renewed no more."""
    global _default
    if _default is not None:
        _default.close()
    _default = None


def default_client() -> Client:
    """The default connection."""
    if _default is None:
        raise NotConnected("not connected to a server: call gcs.connect() first")
    return _default


def asynchronous() -> AsyncClient:
    """The functions of the default connection for asyncio."""
    return default_client().aio


def batch(
    name: Optional[str] = None, timeout: Optional[float] = DEFAULT_LEASE, *,
    no_cleanup: bool = False,
) -> BatchBlock:
    """A batch for a `with` or `async with` block, inside the current batch; see `Client.batch`."""
    return default_client().batch(name, timeout, no_cleanup=no_cleanup)


def start_batch(
    batch_id: Optional[int] = None, *, parent: Optional[int] = None, name: Optional[str] = None,
    timeout: Optional[float] = None, no_cleanup: bool = False,
) -> int:
    """Starts a batch that may be ended elsewhere, and returns its id; see `Client.start_batch`."""
    return default_client().start_batch(
        batch_id, parent=parent, name=name, timeout=timeout, no_cleanup=no_cleanup)


def end_batch(batch_id: int, *, no_gc: bool = False) -> Outcome:
    """Ends a batch and its children, wherever they were started; `no_gc` leaves everything."""
    return default_client().end_batch(batch_id, no_gc=no_gc)


def destroy_batch(batch_id: int) -> int:
    """Collects a batch at once, kept objects too; tells how many records that released."""
    return default_client().destroy_batch(batch_id)


def renew_batch(batch_id: int, timeout: float) -> None:
    """Gives a batch a lease that this process renews from now on, wherever it was started."""
    default_client().renew_batch(batch_id, timeout)


def transfer_ownership(
    refs: "Union[Reference, Iterable[Reference]]", to_batch: Union[int, Batch]
) -> int:
    """Gives objects to another batch now; tells how many changed their owner."""
    return default_client().transfer_ownership(refs, to_batch)


def free(
    refs: "Union[Reference, Iterable[Reference]]", *, tasks: bool = False, recursive: bool = False
) -> int:
    """Removes objects here and from every store; tells how many. See `Client.free`."""
    return default_client().free(refs, tasks=tasks, recursive=recursive)


def pin(refs: "Union[Reference, Iterable[Reference]]") -> int:
    """Makes objects stay, whatever ends, until `unpin`; tells how many were not pinned yet."""
    return default_client().pin(refs)


def unpin(refs: "Union[Reference, Iterable[Reference]]") -> int:
    """Lifts pins: an object whose batch has ended goes; tells how many were pinned."""
    return default_client().unpin(refs)


def set_task_state(task: Reference, state: str) -> None:
    """Says how far a task is: PENDING, RUNNING, FINISHED, FAILED, CANCELLED or LOST."""
    default_client().set_task_state(task, state)


def cancel_task(task: Reference) -> int:
    """Asks whoever listens to the channel `TASK:<id>` to end a task; tells how many listen."""
    return default_client().cancel_task(task)


def checkpoint(actor: Reference, task: Reference) -> None:
    """Says that an actor saved its state: nothing behind the task needs what led to it."""
    default_client().checkpoint(actor, task)


def add_reference(
    node: str, pid: int, ref: Reference, kind: ReferenceType = ReferenceType.LOCAL, *,
    size: Optional[int] = None, site: Optional[str] = None, driver: bool = False,
) -> bool:
    """Records that a process holds an object, and why; see `Client.add_reference`."""
    return default_client().add_reference(
        node, pid, ref, kind, size=size, site=site, driver=driver)


def remove_reference(
    node: str, pid: int, ref: Reference, kind: ReferenceType = ReferenceType.LOCAL
) -> bool:
    """Records that a process does not hold an object any more; see `Client.remove_reference`."""
    return default_client().remove_reference(node, pid, ref, kind)


def clear_references(node: str, pid: Optional[int] = None) -> int:
    """Forgets what a process holds, or all processes of a node; tells how many references."""
    return default_client().clear_references(node, pid)


def batch_info(batch_id: int) -> BatchInfo:
    """What the server knows of a batch."""
    return default_client().batch_info(batch_id)


def open_batch(batch_id: int) -> Batch:
    """A handle of a batch that was started elsewhere; asks the server nothing."""
    return default_client().open_batch(batch_id)


def get_current_batch_id() -> int:
    """The batch of the innermost block in this thread or asyncio task; 0 outside of any."""
    return default_client().get_current_batch_id()


def set_current_batch_id(batch_id: int) -> None:
    """Makes a batch the current one, in this thread or asyncio task only; 0 for none."""
    default_client().set_current_batch_id(batch_id)


def put(value: Any) -> ObjectID:
    """Stores a value in the local object store, under an id of the current batch."""
    return default_client().put(value)


def get(ref: Reference, timeout: Optional[float] = 0) -> Any:
    """Reads a value from the local object store; see `Client.get`."""
    return default_client().get(ref, timeout)
