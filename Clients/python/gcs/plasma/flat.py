"""FlatBuffers as the object store's messages need them: one table of numbers, strings and vectors.

A body starts with the position of its root table. A table starts with the distance back to its
vtable, which gives each slot's place in the table, 0 for an absent one. Strings, vectors and
tables are reached over distances that point forward. Numbers are little endian.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from ..errors import PlasmaProtocolError

_U16 = struct.Struct("<H").unpack_from
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i").unpack_from
_STRUCTS = {code: struct.Struct("<" + code) for code in "iqQ"}
_REFERENCES = "sv"


class Layout:
    """Writes bodies of one kind: a letter for each slot, in order.

    `s` is a string, `v` a vector of strings, and `B`, `i`, `q` and `Q` are numbers as in `struct`.
    """

    def __init__(self, kinds: str) -> None:
        places, position, form = [], 4, "<i"
        for kind in kinds:
            code = "I" if kind in _REFERENCES else kind
            size = struct.calcsize("<" + code)
            padding = -position % size
            places.append(position + padding)
            form += "x" * padding + code
            position += padding + size
        padding = -position % 4
        vtable = struct.pack(
            f"<HH{len(kinds)}H", 4 + 2 * len(kinds), position, *places)
        self._start = (4 + len(vtable) + 7) // 8 * 8
        self._head = _U32.pack(self._start).ljust(self._start - len(vtable), b"\0") + vtable
        self._inline = struct.Struct(form + "x" * padding)
        self._soffset = len(vtable)
        self._kinds = [
            (kind if kind in _REFERENCES else "", self._start + place)
            for kind, place in zip(kinds, places)]

    def pack(self, *values: Any) -> bytes:
        """The body with these values; a string is anything with bytes."""
        end = self._start + self._inline.size
        inline, tail = [self._soffset], []
        for (kind, place), value in zip(self._kinds, values):
            if not kind:
                inline.append(value)
                continue
            inline.append(end - place)
            piece = _string(value) if kind == "s" else _strings(value)
            tail.append(piece)
            end += len(piece)
        return b"".join((self._head, self._inline.pack(*inline), *tail))


def _string(value: Any) -> bytes:
    size = len(value)
    return b"".join((_U32.pack(size), value, bytes(4 - size % 4)))


def _strings(values: Sequence[bytes]) -> bytes:
    pieces = [_string(value) for value in values]
    offsets, ahead = [], 4 * len(pieces)
    for piece in pieces:
        offsets.append(ahead)
        ahead += len(piece) - 4
    return struct.pack(f"<I{len(offsets)}I", len(offsets), *offsets) + b"".join(pieces)


class Table:
    """Reads a table in a body; every access checks its bounds."""

    __slots__ = ("_body", "_at", "_places")

    def __init__(self, body: bytes) -> None:
        self._place(body, self._number(_U32.unpack_from, body, 0), {})

    def integer(self, slot: int, code: str = "i") -> int:
        """The number in a slot, 0 when it is absent; `code` as in `struct`."""
        place = self._field(slot)
        return self._number(_STRUCTS[code].unpack_from, self._body, place) if place else 0

    def boolean(self, slot: int) -> bool:
        """The bool in a slot, false when it is absent."""
        place = self._field(slot)
        return bool(self._bytes(place, 1)[0]) if place else False

    def string(self, slot: int) -> bytes:
        """The string in a slot, empty when it is absent."""
        place = self._field(slot)
        return self._string(self._target(place)) if place else b""

    def structure(self, slot: int, form: struct.Struct) -> Tuple[Any, ...]:
        """The struct in a slot."""
        place = self._field(slot)
        if not place:
            raise PlasmaProtocolError(f"the store's answer has no field {slot}")
        return form.unpack(self._bytes(place, form.size))

    def strings(self, slot: int) -> List[bytes]:
        """The vector of strings in a slot."""
        first, count = self._vector(slot, 4)
        return [self._string(self._target(first + 4 * index)) for index in range(count)]

    def numbers(self, slot: int, code: str) -> Tuple[int, ...]:
        """The vector of numbers in a slot."""
        first, count = self._vector(slot, struct.calcsize("<" + code))
        return struct.unpack_from(f"<{count}{code}", self._body, first) if count else ()

    def structures(self, slot: int, form: struct.Struct) -> List[Tuple[Any, ...]]:
        """The vector of structs in a slot."""
        first, count = self._vector(slot, form.size)
        return [form.unpack_from(self._body, first + form.size * index) for index in range(count)]

    def tables(self, slot: int) -> "Iterator[Table]":
        """The vector of tables in a slot."""
        first, count = self._vector(slot, 4)
        vtables: "Dict[int, Tuple[int, ...]]" = {}
        for index in range(count):
            table = Table.__new__(Table)
            table._place(self._body, self._target(first + 4 * index), vtables)
            yield table

    # Tables that were written alike share a vtable: `vtables` keeps those already read.
    def _place(self, body: bytes, at: int, vtables: "Dict[int, Tuple[int, ...]]") -> None:
        self._body, self._at = body, at
        vtable = at - self._number(_I32, body, at)
        places = vtables.get(vtable)
        if places is None:
            size = self._number(_U16, body, vtable)
            if size < 4 or vtable + size > len(body):
                raise _out_of_bounds(vtable)
            places = struct.unpack_from(f"<{size // 2 - 2}H", body, vtable + 4)
            vtables[vtable] = places
        self._places = places

    def _field(self, slot: int) -> int:
        place = self._places[slot] if slot < len(self._places) else 0
        return self._at + place if place else 0

    def _target(self, at: int) -> int:
        return at + self._number(_U32.unpack_from, self._body, at)

    def _vector(self, slot: int, size: int) -> Tuple[int, int]:
        place = self._field(slot)
        if not place:
            return 0, 0
        at = self._target(place)
        count = self._number(_U32.unpack_from, self._body, at)
        if at + 4 + count * size > len(self._body):
            raise _out_of_bounds(at)
        return at + 4, count

    def _string(self, at: int) -> bytes:
        return self._bytes(at + 4, self._number(_U32.unpack_from, self._body, at))

    def _bytes(self, at: int, size: int) -> bytes:
        if at + size > len(self._body):
            raise _out_of_bounds(at)
        return self._body[at:at + size]

    @staticmethod
    def _number(unpack: Any, body: bytes, at: int) -> int:
        # `unpack_from` counts a negative position from the end.
        if at < 0:
            raise _out_of_bounds(at)
        try:
            return unpack(body, at)[0]
        except struct.error:
            raise _out_of_bounds(at) from None


def _out_of_bounds(at: int) -> PlasmaProtocolError:
    return PlasmaProtocolError(f"the store's answer points outside itself, at byte {at}")
