"""Ids of tasks and objects: 20 bytes, of which the first 8 are the batch.

    batch (8, signed, big-endian) | task (8) | index (4, big-endian)

Index 0 is the task itself, 1 and above are what it returns; the top bit marks what was put.
"""

from __future__ import annotations

import os
import threading
from typing import Union

ROOT = 0
"""The root batch: always there, and never ends."""

BATCH_MAX = (1 << 63) - 1
PUT_BIT = 1 << 31
_BYTE_COUNT = 20
_COUNTER_BITS = 24


class _ID(bytes):
    """20 bytes that know their parts."""

    __slots__ = ()

    def __new__(cls, value: "Union[bytes, str]") -> "_ID":
        data = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
        if len(data) != _BYTE_COUNT:
            raise ValueError(
                f"an id has {_BYTE_COUNT} bytes or 40 hex digits, found {len(data)} bytes")
        return super().__new__(cls, data)

    @property
    def batch_id(self) -> int:
        """The batch in the id: the owner, unless it was kept or transferred."""
        return int.from_bytes(self[:8], "big", signed=True)

    @property
    def object_index(self) -> int:
        """0 for a task; for an object its place among the task's results, or with the put bit."""
        return int.from_bytes(self[16:], "big")

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.hex()}')"

    # Without it print() would show the bytes.
    __str__ = bytes.hex

    def __reduce__(self) -> "tuple[type, tuple[bytes]]":
        return type(self), (bytes(self),)


class ObjectID(_ID):
    """The id of an object; also the reference to it that `put` gives and `get` takes."""

    __slots__ = ()

    @property
    def is_put(self) -> bool:
        """Whether the object was put, rather than returned by a task."""
        return bool(self.object_index & PUT_BIT)

    @property
    def task_id(self) -> "TaskID":
        """The task that made the object."""
        return TaskID(self[:16] + bytes(4))


class TaskID(_ID):
    """The id of a task."""

    __slots__ = ()

    def returns(self, index: int) -> ObjectID:
        """The id of the task's return value `index`: 1, 2, ..."""
        if not 1 <= index < PUT_BIT:
            raise ValueError(f"an index of a return value is 1 to {PUT_BIT - 1}, found {index}")
        return ObjectID(self[:16] + index.to_bytes(4, "big"))


class _UniqueParts:
    """Numbers of 64 bits that no other process or thread gives out.

    40 random bits and a counter of 24: a process draws new random bits when the counter is used up
    and after a fork. Two processes clash only when they draw the same 40 bits for the same batch.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew, with a lock of its own: a fork may have copied one that is held."""
        self._lock = threading.Lock()
        self._prefix = 0
        self._count = 0

    def next(self) -> bytes:
        with self._lock:
            if self._count == 0:
                self._prefix = int.from_bytes(os.urandom(5), "big")
            number = self._prefix << _COUNTER_BITS | self._count
            self._count = (self._count + 1) % (1 << _COUNTER_BITS)
        return number.to_bytes(8, "big")


_unique = _UniqueParts()
os.register_at_fork(after_in_child=_unique.forget)


def new_batch_id() -> int:
    """An id for a batch that is to be started with `start_batch(batch_id=...)`.

    It is 2^62 or above, at random: the server's own choices, the time in microseconds, stay below.
    """
    return 1 << 62 | int.from_bytes(os.urandom(8), "big") >> 2


def new_object_id(batch: int) -> ObjectID:
    """A new id for an object to be put into a batch."""
    return ObjectID(_batch_bytes(batch) + _unique.next() + (PUT_BIT | 1).to_bytes(4, "big"))


def new_task_id(batch: int) -> TaskID:
    """A new id for a task of a batch."""
    return TaskID(_batch_bytes(batch) + _unique.next() + bytes(4))


def _batch_bytes(batch: int) -> bytes:
    if not 0 <= batch <= BATCH_MAX:
        raise ValueError(f"a batch is 0 to {BATCH_MAX}, found {batch}")
    return batch.to_bytes(8, "big")
