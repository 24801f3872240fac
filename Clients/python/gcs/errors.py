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
