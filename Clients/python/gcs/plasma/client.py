"""A client of the object store: Arrow's Plasma, or the one of this repository."""

from __future__ import annotations

import os
import pickle
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Union

from .. import errors
from . import messages, values
from .connection import Connection
from .ids import ObjectID, object_id as as_id
from .messages import Deletion, ObjectInfo
from .subscription import Subscription

RETRIES = 50
"""How often connecting is tried again unless told otherwise, a tenth of a second apart."""

REPLY_SECONDS = 60.0
"""How long a store may take for an answer, beside the time that it was told to wait."""

SENT_BYTE_COUNT_MAX = 32 << 10
"""Objects up to here are sent over the socket in one message rather than written in place."""

_DELETED_PER_MESSAGE = 500


class ObjectNotAvailable:
    """Stands for a value that was not there in time."""


class PlasmaClient:
    """A connection to an object store; may be used by many threads, one request at a time.

    What it gives are views of the store's memory. The store keeps an object while a view of it, a
    slice, or an array over one is held: the last to go releases it. A `get` that waits does so on
    a connection of its own, and holds up nobody. An interrupt (Ctrl-C) in the middle of a request
    costs the connection. The child of a fork needs a client of its own; the views it inherits can
    be read while its parent holds them.
    """

    def __init__(self, path: str, retries: int, reply_timeout: float) -> None:
        self._connection = Connection(path, retries, reply_timeout)

    # ---- values

    def put(self, value: Any, object_id: Any = None) -> ObjectID:
        """Stores a Python value; numpy arrays and other buffers in it are copied once, unpickled.

        A memoryview is stored as its bytes, as `put_raw_buffer` does.
        """
        if isinstance(value, memoryview):
            return self.put_raw_buffer(value, object_id)
        packed = values.Packed(value)
        return self._put(packed.size, values.METADATA, packed.write, object_id)

    def get(self, object_ids: Any, timeout_ms: int = -1) -> Any:
        """The value of an object, or the values of a list of them.

        Waits for those that are not there, without end when `timeout_ms` is -1; then the value is
        `ObjectNotAvailable`. Arrays lie in the store's memory and are read-only. An object that was
        not stored by `put` of this package is given as a memoryview.
        """
        if not isinstance(object_ids, (list, tuple)):
            return self.get([object_ids], timeout_ms)[0]
        found = self.get_buffers(object_ids, timeout_ms, with_meta=True)
        return [_value(metadata, data) for metadata, data in found]

    # ---- bytes

    def put_raw_buffer(self, value: Any, object_id: Any = None, metadata: bytes = b"") -> ObjectID:
        """Stores the bytes of anything that has a buffer."""
        # Only pickle's buffers have this view of bytes for every layout, empty arrays too.
        view = pickle.PickleBuffer(value).raw()
        return self._put(
            view.nbytes, bytes(metadata), lambda target: values.copy(view, target, 0), object_id)

    def get_buffers(
        self, object_ids: Iterable[Any], timeout_ms: int = -1, with_meta: bool = False
    ) -> List[Any]:
        """Read-only views of objects; `None` for each that is not there in time.

        With `with_meta` pairs of metadata, as bytes, and view.
        """
        ids = [as_id(one) for one in object_ids]
        found = self._get(ids, timeout_ms)
        if not with_meta:
            return [found[one][0] if one in found else None for one in ids]
        return [
            (bytes(found[one][1]), found[one][0]) if one in found else (None, None) for one in ids]

    def get_metadata(self, object_ids: Iterable[Any], timeout_ms: int = -1) -> List[Any]:
        """Read-only views of the metadata; `None` for each object that is not there in time."""
        ids = [as_id(one) for one in object_ids]
        found = self._get(ids, timeout_ms)
        return [found[one][1] if one in found else None for one in ids]

    # ---- making objects

    def create(
        self, object_id: Any, data_size: int, metadata: bytes = b"", evict_if_full: bool = True
    ) -> memoryview:
        """Makes an object that others see once it is sealed, and gives its memory to write to.

        Like any view, it holds the object: `with client.create(...) as view:` gives it up in time.
        `evict_if_full` lets the store remove others to make room.
        """
        one, metadata = as_id(object_id), bytes(metadata)
        if data_size < 0:
            raise ValueError(f"an object has 0 bytes or more, found {data_size}")
        body = messages.CREATE_BODY(one, evict_if_full, data_size, len(metadata), 0)
        with self._connection.turn() as channel:
            answer = channel.request(messages.CREATE, body, messages.CREATE_REPLY)
            placed = messages.create_reply(answer, one, data_size + len(metadata))
            (data, place), = self._connection.hold(channel, placed).values()
            place[:] = metadata
            self._connection.begin(one, data)
            return data

    def seal(self, object_id: Any) -> None:
        """Completes an object: from now on others see it."""
        one = as_id(object_id)
        with self._connection.turn() as channel:
            self._connection.check_unsealed(one)
            body = messages.SEAL_BODY(one, messages.DIGEST)
            answer = channel.request(messages.SEAL, body, messages.SEAL_REPLY)
            messages.check(messages.Table(answer).integer(1), one)
            self._connection.end(channel, one)

    def abort(self, object_id: Any) -> None:
        """Gives up an object that is not sealed; its view, if it is still there, is released.

        Raises `PlasmaObjectInUse` while slices or arrays over the view are held.
        """
        one = as_id(object_id)
        self._connection.release_view(one)
        with self._connection.turn() as channel:
            self._connection.check_unsealed(one)
            self._connection.check_unused(one)
            channel.request(messages.ABORT, messages.ONE_ID(one), messages.ABORT_REPLY)
            self._connection.forget(one)

    def create_and_seal(
        self, object_id: Any, data: Any, metadata: bytes = b"", evict_if_full: bool = True
    ) -> None:
        """Stores bytes in one message; meant for small objects."""
        one = as_id(object_id)
        data, metadata = bytes(memoryview(data)), bytes(metadata)
        body = messages.CREATE_AND_SEAL_BODY(
            one, evict_if_full, data, metadata, messages.DIGEST)
        with self._connection.turn() as channel:
            answer = channel.request(
                messages.CREATE_AND_SEAL, body, messages.CREATE_AND_SEAL_REPLY)
        messages.check(
            messages.Table(answer).integer(0), f"{one}, {len(data) + len(metadata)} bytes,")

    # ---- the store's objects

    def contains(self, object_id: Any) -> bool:
        """Whether the store holds the object, sealed."""
        body = messages.ONE_ID(as_id(object_id))
        return bool(self._ask(messages.CONTAINS, body, messages.CONTAINS_REPLY).integer(1))

    def delete(self, object_ids: Iterable[Any]) -> List[Deletion]:
        """Deletes objects, and tells what became of each.

        One that is held goes when the last holder releases it. Long lists are sent in pieces, so
        that others get their turn.
        """
        ids = [as_id(one) for one in object_ids]
        found: "List[Deletion]" = []
        for start in range(0, len(ids), _DELETED_PER_MESSAGE):
            some = ids[start:start + _DELETED_PER_MESSAGE]
            body = messages.NUMBER_AND_IDS(len(some), some)
            with self._connection.turn() as channel:
                answer = channel.request(messages.DELETE, body, messages.DELETE_REPLY)
                found += messages.delete_reply(answer, len(some))
        return found

    def list(self) -> "Dict[ObjectID, ObjectInfo]":
        """What the store knows of each of its objects, sealed or not."""
        with self._connection.turn() as channel:
            answer = channel.request(messages.LIST, messages.EMPTY, messages.LIST_REPLY)
            return messages.list_reply(answer)

    def evict(self, num_bytes: int) -> int:
        """Lets the store remove the objects used longest ago, and tells how many bytes went."""
        body = messages.NUMBER(num_bytes)
        return self._ask(messages.EVICT, body, messages.EVICT_REPLY).integer(0, "Q")

    def refresh(self, object_ids: Iterable[Any]) -> None:
        """Counts the objects as just used."""
        body = messages.IDS([as_id(one) for one in object_ids])
        self._ask(messages.REFRESH, body, messages.REFRESH_REPLY)

    # ---- the store

    def subscribe(self) -> Subscription:
        """Notifications of objects that are sealed and that go."""
        return self._connection.subscribe()

    def get_next_notification(self) -> "Tuple[ObjectID, int, int]":
        """Id, bytes and bytes of metadata of the next object that was sealed; -1 if it went.

        Of the last subscription; waits without end.
        """
        subscription = self._connection.subscription
        if subscription is None:
            raise errors.StoreError("no subscription: call subscribe() first")
        found = subscription.next()
        assert found is not None
        return found[:3]

    def debug_string(self) -> str:
        """The store's account of itself."""
        found = self._ask(messages.DEBUG_STRING, messages.EMPTY, messages.DEBUG_STRING_REPLY)
        return found.string(0).decode(errors="replace")

    def set_client_options(self, client_name: str, limit_output_memory: int) -> None:
        """Names this client, and sets apart bytes of the store for what it creates; once."""
        body = messages.OPTIONS_BODY(client_name.encode(), limit_output_memory)
        found = self._ask(messages.SET_OPTIONS, body, messages.SET_OPTIONS_REPLY)
        messages.check(found.integer(0), f"a quota of {limit_output_memory} bytes")

    def store_capacity(self) -> int:
        """Bytes of objects that the store has room for."""
        return self._connection.capacity

    @property
    def store_socket_name(self) -> str:
        """The path of the store's socket."""
        return self._connection.path

    def disconnect(self) -> None:
        """Ends the client; the connection stays until the last view of an object has gone.

        Objects that were not sealed are given up with it.
        """
        self._connection.disconnect()

    def __enter__(self) -> "PlasmaClient":
        return self

    def __exit__(self, *error: Any) -> None:
        self.disconnect()

    # ---- how

    def _ask(self, kind: int, body: bytes, reply: int) -> messages.Table:
        with self._connection.turn() as channel:
            return messages.Table(channel.request(kind, body, reply))


    def _put(
        self, size: int, metadata: bytes, write: "Callable[[Any], None]", object_id: Any
    ) -> ObjectID:
        one = ObjectID.from_random() if object_id is None else as_id(object_id)
        if size + len(metadata) <= SENT_BYTE_COUNT_MAX:
            data = bytearray(size)
            write(data)
            self.create_and_seal(one, data, metadata)
            return one
        view = self.create(one, size, metadata)
        try:
            write(view)
        except BaseException:
            self.abort(one)
            raise
        view.release()
        self.seal(one)
        return one

    def _get(self, ids: List[ObjectID], timeout_ms: int) -> "_Views":
        found = self._get_now(ids)
        missing = [one for one in dict.fromkeys(ids) if one not in found]
        if missing and timeout_ms != 0:
            body = messages.IDS_AND_NUMBER(missing, max(timeout_ms, -1))
            with self._connection.waiting(body, timeout_ms / 1000) as there:
                found.update(self._get_now(there) if there else {})
        return found

    def _get_now(self, ids: List[ObjectID]) -> "_Views":
        body = messages.IDS_AND_NUMBER(list(dict.fromkeys(ids)), 0)
        with self._connection.turn() as channel:
            answer = channel.request(messages.GET, body, messages.GET_REPLY)
            found = self._connection.hold(channel, messages.get_reply(answer))
        return {
            one: (data.toreadonly(), metadata.toreadonly())
            for one, (data, metadata) in found.items()}


_Views = Dict[ObjectID, Tuple[memoryview, memoryview]]


def _value(metadata: Optional[bytes], data: Optional[memoryview]) -> Any:
    if data is None:
        return ObjectNotAvailable
    return values.load(data) if metadata == values.METADATA else data


def connect(
    store_socket_name: "Union[str, os.PathLike[str]]", num_retries: int = -1,
    reply_timeout: float = REPLY_SECONDS,
) -> PlasmaClient:
    """Connects to the object store at a socket.

    - `num_retries`: how often to try again, a tenth of a second apart; -1 for 50 times.
    - `reply_timeout`: seconds after which a store that does not answer is given up.
    """
    retries = RETRIES if num_retries < 0 else num_retries
    return PlasmaClient(os.fspath(store_socket_name), retries, reply_timeout)
