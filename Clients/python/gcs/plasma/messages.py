"""The messages of the object store: numbers of their types, their bodies, their answers."""

from __future__ import annotations

import enum
import struct
from typing import Any, List, NamedTuple, Optional, Tuple

from .. import errors
from .flat import Layout, Table
from .ids import ObjectID

CREATE, CREATE_REPLY = 1, 2
CREATE_AND_SEAL, CREATE_AND_SEAL_REPLY = 3, 4
ABORT, ABORT_REPLY = 5, 6
SEAL, SEAL_REPLY = 7, 8
GET, GET_REPLY = 9, 10
RELEASE = 11
DELETE, DELETE_REPLY = 13, 14
CONTAINS, CONTAINS_REPLY = 15, 16
LIST, LIST_REPLY = 17, 18
CONNECT, CONNECT_REPLY = 19, 20
EVICT, EVICT_REPLY = 21, 22
SUBSCRIBE = 23
SET_OPTIONS, SET_OPTIONS_REPLY = 28, 29
DEBUG_STRING, DEBUG_STRING_REPLY = 30, 31
REFRESH, REFRESH_REPLY = 34, 35

EMPTY = Layout("").pack()
ONE_ID = Layout("s").pack
IDS = Layout("v").pack
IDS_AND_NUMBER = Layout("vq").pack
NUMBER_AND_IDS = Layout("iv").pack
NUMBER = Layout("Q").pack
CREATE_BODY = Layout("sBQQi").pack
CREATE_AND_SEAL_BODY = Layout("sBsss").pack
SEAL_BODY = Layout("ss").pack
OPTIONS_BODY = Layout("sq").pack

DIGEST = bytes(8)
"""What we send as an object's digest: 8 bytes that no reader looks at."""

_MISSING = (1 << 64) - 1
_PLACE = struct.Struct("<i4xQQQQi4x")
_ERRORS = {
    1: (errors.PlasmaObjectExists, "the object store already holds {}"),
    2: (errors.PlasmaObjectNotFound, "the object store does not hold {}"),
    3: (errors.PlasmaStoreFull, "the object store is full: {} does not fit"),
    4: (errors.PlasmaObjectNotSealed, "{} is not sealed"),
    5: (errors.PlasmaObjectInUse, "{} is in use"),
}


class Deletion(enum.Enum):
    """What became of an object that was to be deleted."""

    REMOVED = 0
    """It is gone."""
    NOT_FOUND = 2
    """The store does not hold it."""
    NOT_SEALED = 4
    """It is being made, and goes once its maker releases it."""
    IN_USE = 5
    """Somebody holds it, and it goes with the last holder."""


class ObjectInfo(NamedTuple):
    """What the store knows of an object."""

    data_size: int
    metadata_size: int
    ref_count: int
    """How many connections hold it."""
    create_time: int
    """Unix seconds."""
    construct_duration: int
    """Seconds from create to seal; -1 before."""
    state: str
    """`created` or `sealed`."""


class Notification(NamedTuple):
    """An object was sealed, or went."""

    object_id: ObjectID
    data_size: int
    """-1 for one that went."""
    metadata_size: int
    """-1 for one that went."""
    is_deletion: bool


class Place(NamedTuple):
    """Where an object lies."""

    store_fd: int
    """The store's own number of the file."""
    data_offset: int
    data_size: int
    metadata_offset: int
    metadata_size: int


class Placed(NamedTuple):
    """The answer to Create or Get."""

    places: "List[Tuple[bytes, Place]]"
    """The objects that are there."""
    files: "List[Tuple[int, int]]"
    """The files they lie in: the store's number, and bytes to map."""


def check(number: int, what: Any) -> None:
    """Raises what an error number of the store stands for."""
    if number:
        kind, text = _ERRORS.get(number, (errors.StoreError, f"{{}}: error {number} of the store"))
        raise kind(text.format(what))


def create_reply(body: bytes, object_id: ObjectID, size: int) -> Placed:
    """Where the new object lies."""
    table = Table(body)
    check(table.integer(2), f"{object_id}, {size} bytes,")
    place = _place(table.structure(1, _PLACE))
    assert place is not None
    return Placed([(object_id, place)], [(table.integer(3), table.integer(4, "q"))])


def get_reply(body: bytes) -> Placed:
    """Where those of the objects lie that are there."""
    table = Table(body)
    ids, places = table.strings(0), table.structures(1, _PLACE)
    files, sizes = table.numbers(2, "i"), table.numbers(3, "q")
    if len(ids) != len(places) or len(files) != len(sizes):
        raise errors.PlasmaProtocolError("the store's answer has lists of different lengths")
    found = [(one, _place(fields)) for one, fields in zip(ids, places)]
    return Placed(
        [(one, place) for one, place in found if place is not None], list(zip(files, sizes)))


def _place(fields: Tuple[Any, ...]) -> Optional[Place]:
    place = Place(*fields[:5])
    return None if place.data_size == _MISSING else place


def delete_reply(body: bytes, count: int) -> List[Deletion]:
    """What became of each of the objects."""
    numbers = Table(body).numbers(2, "i")
    if len(numbers) != count:
        raise errors.PlasmaProtocolError(
            f"the store's answer tells of {len(numbers)} objects, asked were {count}")
    try:
        return [Deletion(number) for number in numbers]
    except ValueError as error:
        raise errors.PlasmaProtocolError(f"the store's answer: {error}") from None


def list_reply(body: bytes) -> "dict[ObjectID, ObjectInfo]":
    """All objects of the store."""
    found = {}
    for row in Table(body).tables(0):
        found[ObjectID(row.string(0))] = ObjectInfo(
            row.integer(1, "q"), row.integer(2, "q"), row.integer(3), row.integer(4, "q"),
            row.integer(5, "q"), "sealed" if row.string(6) else "created")
    return found


def notifications(body: bytes) -> List[Notification]:
    """What one frame of a subscription tells."""
    found = []
    for row in Table(body).tables(0):
        object_id, is_deletion = ObjectID(row.string(0)), row.boolean(7)
        sizes = (-1, -1) if is_deletion else (row.integer(1, "q"), row.integer(2, "q"))
        found.append(Notification(object_id, *sizes, is_deletion))
    return found
