"""Python values as objects: a pickle, and beside it the large buffers that the value consists of.

    count of buffers (8) | bytes of the pickle (8) | count x (position (8), bytes (8)) |
    the pickle | the buffers, each at a multiple of 64

Numbers are little endian, positions count from the object's first byte. The pickle has protocol 5;
the buffers are those that it leaves to its caller, so that reading copies none of them.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any, List, Tuple

from ..errors import StoreError

METADATA = b"gcs.pickle5"
"""The metadata of an object that holds a value."""

_ALIGNMENT = 64
_PIECE_BYTE_COUNT = 4 << 20
_PAIR = struct.Struct("<QQ")


class Packed:
    """A value made ready: what to write where."""

    def __init__(self, value: Any) -> None:
        found: "List[pickle.PickleBuffer]" = []
        self._pickle = pickle.dumps(value, protocol=5, buffer_callback=found.append)
        self._buffers = [buffer.raw() for buffer in found]
        head_size = _PAIR.size * (1 + len(self._buffers))
        self.size = head_size + len(self._pickle)
        rows = [_PAIR.pack(len(self._buffers), len(self._pickle))]
        self._places = []
        for buffer in self._buffers:
            place = self.size + -self.size % _ALIGNMENT
            self._places.append(place)
            rows.append(_PAIR.pack(place, buffer.nbytes))
            self.size = place + buffer.nbytes
        self._head = b"".join(rows)

    def write(self, target: Any) -> None:
        """Writes the object's bytes."""
        start = len(self._head)
        target[:start] = self._head
        target[start:start + len(self._pickle)] = self._pickle
        for place, buffer in zip(self._places, self._buffers):
            copy(buffer, target, place)


def copy(source: memoryview, target: Any, place: int) -> None:
    """Copies bytes, in pieces: other threads of this process run between two of them."""
    for start in range(0, source.nbytes, _PIECE_BYTE_COUNT):
        piece = source[start:start + _PIECE_BYTE_COUNT]
        target[place + start:place + start + piece.nbytes] = piece


def load(data: memoryview) -> Any:
    """The value of an object; its arrays lie in `data` and keep it."""
    rows, size = _head(data)
    start = _PAIR.size * (1 + len(rows))
    buffers = [data[place:place + count] for place, count in rows]
    return pickle.loads(data[start:start + size], buffers=buffers)


def _head(data: memoryview) -> "Tuple[List[Tuple[int, int]], int]":
    try:
        count, size = _PAIR.unpack_from(data)
        end = _PAIR.size * (1 + count)
        if end + size > len(data):
            raise StoreError(f"a value of {end + size} bytes in an object of {len(data)}")
        rows = list(_PAIR.iter_unpack(data[_PAIR.size:end]))
    except struct.error as error:
        raise StoreError(f"not a value of this package: {error}") from None
    for place, length in rows:
        if place + length > len(data):
            raise StoreError(f"a buffer at {place + length} in an object of {len(data)} bytes")
    return rows, size
