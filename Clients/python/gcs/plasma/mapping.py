"""The store's files in this process's memory, and the objects in them that somebody looks at."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any, Callable, Dict, Tuple, Type

from ..errors import PlasmaProtocolError
from .messages import Place

_TRAILER_BYTE_COUNT = 8
"""Bytes at the end of a file that belong to no object."""


class Mappings:
    """Files of the store, each mapped once; they go with the last view of an object in them.

    Python lets a type of its own export memory from 3.12 on only. A ctypes array over the mapping
    does so everywhere: one array for each hold on an object, and every memoryview, slice or numpy
    array made of it keeps that array alive. When the last is gone the array is, and says so.
    """

    def __init__(self) -> None:
        self._arrays: "Dict[int, Tuple[Type[Any], mmap.mmap]]" = {}

    def add(self, store_fd: int, descriptor: int, size: int) -> None:
        """Maps a file; the descriptor is closed."""
        count = size - _TRAILER_BYTE_COUNT
        try:
            if count <= 0:
                raise PlasmaProtocolError(f"the store told of a file of {size} bytes")
            try:
                mapping = mmap.mmap(descriptor, count)
            except (ValueError, OSError) as error:
                raise PlasmaProtocolError(
                    f"cannot map {size} bytes of the store: {error}") from error
        finally:
            os.close(descriptor)
        self._arrays[store_fd] = _array_type(count), mapping

    def hold(
        self, object_id: bytes, place: Place, gone: "Callable[[bytes], None]"
    ) -> "Tuple[memoryview, memoryview]":
        """Writable views of an object and its metadata; `gone` is called after the last of them.

        It is called on whichever thread drops the last view, at any moment.
        """
        if place.store_fd not in self._arrays:
            raise PlasmaProtocolError(f"an object in a file that was never sent: {place.store_fd}")
        kind, mapping = self._arrays[place.store_fd]
        data_end = place.data_offset + place.data_size
        metadata_end = place.metadata_offset + place.metadata_size
        if max(data_end, metadata_end) > len(mapping):
            raise PlasmaProtocolError(
                f"an object beyond the {len(mapping)} bytes of its file: {place}")
        hold = kind.from_buffer(mapping)
        view = memoryview(hold).cast("B")
        data = view[place.data_offset:data_end]
        metadata = view[place.metadata_offset:metadata_end]
        # From here on; before, an error must not release what was never counted.
        hold.object_id, hold.gone = object_id, gone
        return data, metadata

    def clear(self) -> None:
        """Forgets the files; views that are held keep theirs mapped."""
        self._arrays.clear()


def _array_type(count: int) -> "Type[Any]":
    class Hold(ctypes.c_ubyte * count):  # type: ignore[misc]
        """A hold on one object."""

        object_id = b""
        gone = None

        def __del__(self) -> None:
            if self.gone is not None:
                self.gone(self.object_id)

    return Hold
