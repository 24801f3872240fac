"""Values in the object store of this machine."""

from __future__ import annotations

import math
import os
import stat
import threading
import time
import warnings
from typing import Any, Callable, Dict, List, Optional

from . import plasma
from .errors import ObjectNotFound, PlasmaConnectionLost, StoreError
from .ids import ObjectID

CLIENTS = ("plasma", "pyarrow")
"""What reads and writes values: `gcs.plasma`, or pyarrow 11 in its own serialization."""

_WAIT_SECONDS_MAX = 0.5
"""How long pyarrow's client may wait at once: it does not see Ctrl-C meanwhile."""


class LocalStore:
    """The object store of this machine; connects when it is first used."""

    def __init__(
        self, path: Optional[str], find: "Callable[[], List[str]]", client: Optional[str] = None
    ) -> None:
        client = client or CLIENTS[0]
        if client not in CLIENTS:
            raise ValueError(f"store_client is one of {', '.join(CLIENTS)}, found {client!r}")
        self._path = path
        self._find = find
        self._connections = (_Plasma if client == "plasma" else _PyArrow)(self._socket)

    def put(self, object_id: ObjectID, value: Any) -> None:
        """Stores a value under an id."""
        self._connections.put(object_id, value)

    def get(self, object_id: ObjectID, timeout: Optional[float]) -> Any:
        """Reads a value; waits for it up to `timeout` seconds, without end for `None`."""
        return self._connections.get(object_id, timeout)

    def close(self) -> None:
        """Gives up the connections; values that lie in the store stay readable."""
        self._connections.close()

    def _socket(self) -> str:
        path = self._path or self._only_store_found()
        if not _is_socket(path):
            raise StoreError(f"there is no object store at {path}")
        return path

    def _only_store_found(self) -> str:
        """The one socket that is here of those that the node managers told the server of."""
        found = sorted({path for path in self._find() if _is_socket(path)})
        if len(found) == 1:
            return found[0]
        if not found:
            raise StoreError("no node manager has a store on this machine: name it by `store`")
        raise StoreError(f"several stores, name one by `store`: {', '.join(found)}")


class _Plasma:
    """`gcs.plasma`: one connection for each process, since a fork must not share a socket."""

    def __init__(self, path: "Callable[[], str]") -> None:
        self._path = path
        self._clients: "Dict[int, plasma.PlasmaClient]" = {}

    def put(self, object_id: ObjectID, value: Any) -> None:
        client = self._client()
        try:
            client.put(value, object_id)
        except PlasmaConnectionLost:
            self._forget(client)
            raise

    def get(self, object_id: ObjectID, timeout: Optional[float]) -> Any:
        client = self._client()
        patience = -1 if timeout is None else math.ceil(max(timeout, 0) * 1000)
        try:
            value = client.get(object_id, patience)
        except PlasmaConnectionLost:
            self._forget(client)
            raise
        if value is plasma.ObjectNotAvailable:
            raise ObjectNotFound(f"the object store does not hold {object_id}")
        return value

    def close(self) -> None:
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.disconnect()

    def _client(self) -> plasma.PlasmaClient:
        client = self._clients.get(os.getpid())
        if client is None:
            # Of two threads that come here at once one has its connection thrown away.
            mine = plasma.connect(self._path(), num_retries=0)
            client = self._clients.setdefault(os.getpid(), mine)
        return client

    def _forget(self, client: plasma.PlasmaClient) -> None:
        # The next call connects anew: the store may have been started again.
        if self._clients.get(os.getpid()) is client:
            self._clients.pop(os.getpid(), None)


class _PyArrow:
    """pyarrow's client: a connection for each thread, since one that waits would hold up others.

    Each process has its own too.
    """

    def __init__(self, path: "Callable[[], str]") -> None:
        self._path = path
        self._local = threading.local()

    def put(self, object_id: ObjectID, value: Any) -> None:
        arrow, client = self._client()
        try:
            client.put(value, arrow.ObjectID(bytes(object_id)))
        except arrow.PlasmaObjectExists as error:
            raise StoreError(f"the object store already holds {object_id}") from error
        except (arrow.PlasmaStoreFull, OSError) as error:
            raise self._failed(error) from error

    def get(self, object_id: ObjectID, timeout: Optional[float]) -> Any:
        arrow, client = self._client()
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            patience = min(max(deadline - time.monotonic(), 0), _WAIT_SECONDS_MAX)
            try:
                value = client.get(
                    arrow.ObjectID(bytes(object_id)), timeout_ms=math.ceil(patience * 1000))
            except OSError as error:
                raise self._failed(error) from error
            if value is not arrow.ObjectNotAvailable:
                return value
            if time.monotonic() >= deadline:
                raise ObjectNotFound(f"the object store does not hold {object_id}")

    def close(self) -> None:
        self._local = threading.local()

    def _client(self) -> "tuple[Any, Any]":
        local = self._local
        if getattr(local, "pid", None) != os.getpid():
            local.arrow, local.client = _connect(self._path())
            local.pid = os.getpid()
        return local.arrow, local.client

    def _failed(self, error: Exception) -> StoreError:
        if isinstance(error, OSError):
            self._local.pid = None
        return StoreError(f"the object store: {error}")


def _connect(path: str) -> "tuple[Any, Any]":
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from pyarrow import plasma as arrow
    except ImportError as error:
        raise StoreError(
            "store_client='pyarrow' needs pyarrow with Plasma: pip install 'gcs[pyarrow]'"
        ) from error
    try:
        return arrow, arrow.connect(path)
    except OSError as error:
        raise StoreError(f"the object store: {error}") from error


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
