"""Values in the object store of this machine, through pyarrow's Plasma client."""

from __future__ import annotations

import math
import os
import stat
import threading
import time
import warnings
from typing import Any, Callable, List, Optional

from .errors import ObjectNotFound, StoreError
from .ids import ObjectID

_WAIT_SECONDS_MAX = 0.5
"""How long Plasma's client may wait at once: it does not see Ctrl-C meanwhile."""


class LocalStore:
    """The object store of this machine; connects when it is first used.

    Each thread has a connection: one that waits for an object would hold up the others. Each
    process too, since a fork must not share a socket.
    """

    def __init__(self, path: Optional[str], find: "Callable[[], List[str]]") -> None:
        self._path = path
        self._find = find
        self._local = threading.local()

    def put(self, object_id: ObjectID, value: Any) -> None:
        """Stores a value under an id."""
        plasma, client = self._client()
        try:
            client.put(value, plasma.ObjectID(bytes(object_id)))
        except plasma.PlasmaObjectExists as error:
            raise StoreError(f"the object store already holds {object_id}") from error
        except (plasma.PlasmaStoreFull, OSError) as error:
            raise self._failed(error) from error

    def get(self, object_id: ObjectID, timeout: Optional[float]) -> Any:
        """Reads a value; waits for it up to `timeout` seconds, without end for `None`."""
        plasma, client = self._client()
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            patience = min(max(deadline - time.monotonic(), 0), _WAIT_SECONDS_MAX)
            try:
                value = client.get(
                    plasma.ObjectID(bytes(object_id)), timeout_ms=math.ceil(patience * 1000))
            except OSError as error:
                raise self._failed(error) from error
            if value is not plasma.ObjectNotAvailable:
                return value
            if time.monotonic() >= deadline:
                raise ObjectNotFound(f"the object store does not hold {object_id}")

    def close(self) -> None:
        """Gives up this thread's connection."""
        self._local = threading.local()

    def _client(self) -> "tuple[Any, Any]":
        local = self._local
        if getattr(local, "pid", None) != os.getpid():
            path = self._path or self._only_store_found()
            local.plasma, local.client = _connect(path)
            local.pid = os.getpid()
        return local.plasma, local.client

    def _failed(self, error: Exception) -> StoreError:
        if isinstance(error, OSError):
            # The next call connects anew: the store may have been started again.
            self._local.pid = None
        return StoreError(f"the object store: {error}")

    def _only_store_found(self) -> str:
        """The one socket that is here of those that the node managers told the server of."""
        found = sorted({path for path in self._find() if _is_socket(path)})
        if len(found) == 1:
            return found[0]
        if not found:
            raise StoreError("no node manager has a store on this machine: name it by `store`")
        raise StoreError(f"several stores, name one by `store`: {', '.join(found)}")


def _connect(path: str) -> "tuple[Any, Any]":
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from pyarrow import plasma
    except ImportError as error:
        raise StoreError(
            "put and get need pyarrow with Plasma: pip install 'gcs[plasma]'") from error
    if not _is_socket(path):
        # Plasma's own client would try for five seconds.
        raise StoreError(f"there is no object store at {path}")
    try:
        return plasma, plasma.connect(path)
    except OSError as error:
        raise StoreError(f"the object store: {error}") from error


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
