"""What can go wrong, as exceptions; each carries the server's or the store's own words."""

from __future__ import annotations

import contextlib
from typing import Iterator, Type

import redis


class Error(Exception):
    """Any error of this package."""


class NotConnected(Error):
    """A function that needs the default connection was called before `connect`."""


class ServerUnavailable(Error):
    """The server cannot be reached, or did not answer in time: whether it acted is unknown."""


class Refused(Error):
    """The server refused a command; nothing was changed.

    `code` is the first word of its answer, `ERR` for most.
    """

    def __init__(self, text: str, code: str = "ERR") -> None:
        super().__init__(text)
        self.code = code


class BatchEnded(Refused):
    """The batch has ended: its records and objects are gone, and it takes no new ones."""


class NoSuchBatch(Refused):
    """The server knows no such batch, or has forgotten that it ended."""


class StoreError(Error):
    """The local object store is not there, is full, or refused."""


class ObjectNotFound(StoreError):
    """The local object store does not hold the object."""


class PlasmaObjectExists(StoreError):
    """The store holds an object of this id already, perhaps one that is not sealed yet."""


class PlasmaObjectNotFound(ObjectNotFound):
    """The store holds no such object, or this client is not the one that is making it."""


class PlasmaObjectAlreadySealed(StoreError):
    """The object is sealed: it can be neither written, nor sealed again, nor aborted."""


class PlasmaObjectNotSealed(StoreError):
    """The object is still being made."""


class PlasmaObjectInUse(StoreError):
    """Somebody still holds the object."""


class PlasmaStoreFull(StoreError):
    """The object does not fit into the store beside those that are in use, or not into a quota."""


class PlasmaConnectionLost(StoreError, ConnectionError):
    """No store at the socket, or it closed the connection, or did not answer in time.

    A client that has met this is of no more use: make a new one.
    """


class PlasmaProtocolError(PlasmaConnectionLost):
    """What came from the socket is no answer of an object store."""


class PlasmaClosed(StoreError):
    """The client was disconnected, or belongs to the process from which this one was forked."""


_KINDS: "dict[str, Type[Refused]]" = {"BATCHENDED": BatchEnded, "NOBATCH": NoSuchBatch}


def refusal(error: redis.ResponseError) -> Refused:
    """The exception for an error reply; redis-py leaves out an `ERR` at its beginning."""
    text = str(error)
    first = text.split(" ", 1)[0]
    code = first if first.isalpha() and first.isupper() else "ERR"
    return _KINDS.get(code, Refused)(text, code)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turns redis-py's exceptions into ours."""
    try:
        yield
    except redis.ResponseError as error:
        raise refusal(error) from error
    except redis.RedisError as error:
        raise ServerUnavailable(str(error)) from error
