"""Ids of objects, under the names that pyarrow gave them."""

from __future__ import annotations

from typing import Any

from .. import ids

ID_BYTE_COUNT = 20


class ObjectID(ids.ObjectID):
    """The id of an object: 20 bytes that have pyarrow's methods too."""

    __slots__ = ()

    @classmethod
    def from_random(cls) -> "ObjectID":
        """An id that nobody else has, of the root batch."""
        return cls(ids.new_object_id(ids.ROOT))

    def binary(self) -> bytes:
        """The 20 bytes."""
        return bytes(self)


def object_id(value: Any) -> ObjectID:
    """The id that somebody meant: 20 bytes, 40 hex digits, or an ObjectID of pyarrow."""
    if isinstance(value, ObjectID):
        return value
    if not isinstance(value, (bytes, bytearray, memoryview, str)) and hasattr(value, "binary"):
        value = value.binary()
    if not isinstance(value, (bytes, bytearray, memoryview, str)):
        raise TypeError(f"an object's id is bytes, found {type(value).__name__}")
    return ObjectID(value)
