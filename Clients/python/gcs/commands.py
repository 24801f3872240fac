"""The server's commands as words, and their replies as values; no connection is seen here."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, Callable, Dict, Generic, Iterable, List, Optional, Tuple, TypeVar, Union

from .ids import ObjectID, TaskID

Value = TypeVar("Value")
Word = Union[str, bytes, int]
Reference = Union[ObjectID, bytes, str]


class ReferenceType(str, enum.Enum):
    """Why a process holds an object."""

    LOCAL = "LOCAL_REFERENCE"
    """A variable of its program."""
    PINNED_IN_MEMORY = "PINNED_IN_MEMORY"
    """It reads the object in the store's memory."""
    PENDING_TASK = "USED_BY_PENDING_TASK"
    """A task that has not run yet was given it."""
    CAPTURED = "CAPTURED_IN_OBJECT"
    """Another object refers to it."""
    ACTOR_HANDLE = "ACTOR_HANDLE"
    """The handle of an actor."""


class Outcome(str, enum.Enum):
    """What became of a batch by ending it."""

    COLLECTED = "COLLECTED"
    """Its records are gone, and its objects go from every store."""
    DEFERRED = "DEFERRED"
    """It is collected as soon as no running batch depends on it."""
    ENDED = "ENDED"
    """It ended and all stays (`no_gc`, `no_cleanup`)."""


@dataclasses.dataclass(frozen=True)
class BatchInfo:
    """What the server knows of a batch."""

    id: int
    parent: int
    name: str
    status: str
    """`active`, `done` or `deferred`."""
    created_ms: int
    """Milliseconds since 1970."""
    ended_ms: int
    """Milliseconds since 1970; 0 while it is active."""
    timeout_ms: Optional[int]
    """Milliseconds until it times out; `None` without a time-out."""
    tasks: int
    objects: int
    kept: int
    bytes: int
    """Bytes that the records take in the server."""
    depends_on: Tuple[int, ...]
    dependents: Tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Request(Generic[Value]):
    """A command and the way to read its reply."""

    words: Tuple[Word, ...]
    parse: Callable[[Any], Value]


def key(batch: int) -> str:
    """The batch's key in the server."""
    return f"GC:{batch}"


def lease_seconds(timeout: Optional[float]) -> Optional[int]:
    """A time-out as the server takes it: whole seconds, rounded up."""
    if timeout is None:
        return None
    if not timeout > 0 or math.isinf(timeout):
        raise ValueError(f"a timeout is a positive number of seconds or None, found {timeout!r}")
    return math.ceil(timeout)


def references(refs: "Union[Reference, Iterable[Reference]]") -> List[ObjectID]:
    """Object ids from one or many, given as ids, bytes or hex digits."""
    if isinstance(refs, (bytes, str)):
        return [ObjectID(refs)]
    return [ObjectID(ref) for ref in refs]


def start(
    batch: Optional[int], parent: int, name: Optional[str], timeout: Optional[int],
    no_cleanup: bool,
) -> Request[int]:
    words: List[Word] = ["GCS.BATCH", "START"]
    if batch is not None:
        words += ["ID", batch]
    if parent != 0:
        words += ["PARENT", parent]
    if name:
        words += ["NAME", name]
    if timeout is not None:
        words += ["TIMEOUT", timeout]
    if no_cleanup:
        words += ["NOCLEANUP"]
    return Request(tuple(words), int)


def end(batch: int, no_gc: bool) -> Request[Outcome]:
    words = ("GCS.BATCH", "END", batch, "NOGC") if no_gc else ("GCS.BATCH", "END", batch)
    return Request(words, lambda reply: Outcome(_text(reply)))


def destroy(batch: int) -> Request[int]:
    return Request(("GCS.BATCH", "DESTROY", batch), int)


def delete(batch: int) -> Request[int]:
    return Request(("DEL", key(batch)), int)


def expire(batch: int, timeout: int) -> Request[bool]:
    return Request(("EXPIRE", key(batch), timeout), bool)


def keep(batch: int, refs: Iterable[Reference]) -> Request[int]:
    return Request(("GCS.BATCH", "KEEP", batch, *references(refs)), int)


def transfer(
    refs: "Union[Reference, Iterable[Reference]]", to_batch: int
) -> Request[int]:
    return Request(("GCS.BATCH", "TRANSFER", to_batch, *references(refs)), int)


def add_task(
    task: TaskID, spec: Union[str, bytes], state: Optional[str], actor: Optional[Reference],
    args: Iterable[Reference],
) -> Request[TaskID]:
    words: List[Word] = ["GCS.TASK", "ADD", task, spec]
    if state is not None:
        words += ["STATE", state]
    if actor is not None:
        words += ["ACTOR", ObjectID(actor)]
    objects = references(args)
    if objects:
        words += ["ARGS", len(objects), *objects]
    return Request(tuple(words), lambda reply: task)


def set_task_state(task: Reference, state: str) -> Request[None]:
    return Request(("GCS.TASK", "STATE", ObjectID(task), state), lambda reply: None)


def cancel_task(task: Reference) -> Request[int]:
    return Request(("GCS.TASK", "CANCEL", ObjectID(task)), int)


def checkpoint(actor: Reference, task: Reference) -> Request[None]:
    words = ("GCS.ACTOR", "CHECKPOINT", ObjectID(actor), ObjectID(task))
    return Request(words, lambda reply: None)


def depend(batch: int, on: int) -> Request[bool]:
    return Request(("GCS.BATCH", "DEPEND", batch, on), bool)


def free(
    refs: "Union[Reference, Iterable[Reference]]", tasks: bool, recursive: bool
) -> Request[int]:
    options = [*["RECURSIVE"] * recursive, *["TASKS"] * tasks]
    return Request(("GCS.OBJECT", "FREE", *options, *references(refs)), int)


def pin(refs: "Union[Reference, Iterable[Reference]]") -> Request[int]:
    return Request(("GCS.OBJECT", "PIN", *references(refs)), int)


def unpin(refs: "Union[Reference, Iterable[Reference]]") -> Request[int]:
    return Request(("GCS.OBJECT", "UNPIN", *references(refs)), int)


def add_reference(
    node: str, pid: int, kind: ReferenceType, ref: Reference, size: Optional[int],
    site: Optional[str], driver: bool,
) -> Request[bool]:
    words: List[Word] = ["GCS.REF", "ADD", node, pid, ReferenceType(kind).value, ObjectID(ref)]
    if size is not None:
        words += ["BYTES", size]
    if site is not None:
        words += ["SITE", site]
    if driver:
        words += ["DRIVER"]
    return Request(tuple(words), bool)


def remove_reference(
    node: str, pid: int, kind: ReferenceType, ref: Reference
) -> Request[bool]:
    words = ("GCS.REF", "REMOVE", node, pid, ReferenceType(kind).value, ObjectID(ref))
    return Request(words, bool)


def clear_references(node: str, pid: Optional[int]) -> Request[int]:
    return Request(("GCS.REF", "CLEAR", node) + (() if pid is None else (pid,)), int)


def info(batch: int) -> Request[BatchInfo]:
    return Request(("GCS.BATCH", "INFO", batch), _batch_info)


def stores() -> Request[List[str]]:
    """Where the registered nodes have their stores, as their node managers said."""
    return Request(("GCS.NODE", "LIST"), lambda reply: [
        _text(node["store"]) for node in map(_map, reply) if node.get("store")])


def _batch_info(reply: Any) -> BatchInfo:
    fields = _map(reply)
    timeout = int(fields["timeout-ms"])
    return BatchInfo(
        id=int(fields["id"]), parent=int(fields["parent"]), name=_text(fields["name"]),
        status=_text(fields["status"]), created_ms=int(fields["created-ms"]),
        ended_ms=max(int(fields["ended-ms"]), 0), timeout_ms=None if timeout < 0 else timeout,
        tasks=int(fields["tasks"]), objects=int(fields["objects"]), kept=int(fields["kept"]),
        bytes=int(fields["bytes"]), depends_on=tuple(map(int, fields["depends-on"])),
        dependents=tuple(map(int, fields["dependents"])))


def _map(reply: Any) -> Dict[str, Any]:
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {_text(name): value for name, value in pairs}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
