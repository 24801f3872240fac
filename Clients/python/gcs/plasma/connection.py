"""A connection that threads share, and what is held on it."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Optional, Tuple

from .. import errors
from . import messages
from .channel import Channel
from .ids import ObjectID, object_id as as_id
from .mapping import Mappings
from .subscription import Subscription

_IDLE_WAITERS_MAX = 4


class Connection:
    """One request at a time, in turns; objects that are held until their last view is gone.

    Every view holds its connection, which thus outlives the client that made it.
    """

    def __init__(self, path: str, retries: int, reply_timeout: float) -> None:
        self.path, self._reply_timeout = path, reply_timeout
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._is_closed = False
        self._channel = Channel(path, retries, reply_timeout)
        self.capacity = self._channel.capacity
        self.subscription: Optional[Subscription] = None
        self._mappings = Mappings()
        self._uses: "Dict[bytes, int]" = {}
        self._unsealed: "Dict[bytes, weakref.ref[memoryview]]" = {}
        self._gone: "Deque[bytes]" = deque()
        self._waiters: "List[Channel]" = []
        self._waiting: "set[Channel]" = set()
        _connections.add(self)

    def turn(self) -> "_Turn":
        """The time of one request, as a context that gives the channel."""
        self._check()
        return _Turn(self)

    def subscribe(self) -> Subscription:
        """A subscription, on a connection of its own."""
        self._check()
        found = Subscription(Channel(self.path, 0, self._reply_timeout))
        self.subscription = found
        return found

    def disconnect(self) -> None:
        """Ends it, once the last view is gone."""
        if self._process != os.getpid():
            return
        self._is_closed = True
        for channel in list(self._waiting):
            channel.interrupt()
        if self.subscription is not None:
            self.subscription.close()
        with self._lock:
            for one in self._unsealed:
                self._uses[one] -= 1
            self._close_if_unused()
            while self._waiters:
                self._waiters.pop().close()
        self._settle()

    def _check(self) -> None:
        if self._process != os.getpid():
            raise errors.PlasmaClosed(
                f"this client of {self.path} belongs to process {self._process}, from which this "
                "one was forked: connect anew")
        if self._is_closed:
            raise errors.PlasmaClosed(f"this client of {self.path} was disconnected")
        if not self._channel.is_open:
            raise errors.PlasmaConnectionLost(
                f"the connection to the object store at {self.path} was lost")

    # ---- in a turn

    def hold(
        self, channel: Channel, placed: messages.Placed
    ) -> "Dict[ObjectID, Tuple[memoryview, memoryview]]":
        """Views of what the store has just pinned for this connection: data and metadata."""
        found = {}
        try:
            for store_fd, descriptor, size in channel.take_files(placed):
                self._mappings.add(store_fd, descriptor, size)
            for name, place in placed.places:
                one = as_id(name)
                found[one] = self._mappings.hold(one, place, self._dropped)
                self._uses[one] = self._uses.get(one, 0) + 1
        except BaseException:
            channel.close()
            raise
        return found

    def begin(self, one: ObjectID, view: memoryview) -> None:
        """An object is being made: the right to seal or abort it holds it too, beside its view."""
        self._uses[one] += 1
        self._unsealed[one] = weakref.ref(view)

    def end(self, channel: Channel, one: ObjectID) -> None:
        """It is sealed."""
        del self._unsealed[one]
        self._release(channel, one)

    def forget(self, one: ObjectID) -> None:
        """It is aborted."""
        del self._unsealed[one], self._uses[one]

    def check_unsealed(self, one: ObjectID) -> None:
        """Raises unless the object is being made here.

        Arrow's store ends itself when it is asked to seal or abort another one.
        """
        if one in self._unsealed:
            return
        if one in self._uses:
            raise errors.PlasmaObjectAlreadySealed(f"{one} is sealed already")
        raise errors.PlasmaObjectNotFound(f"this client is not making {one}")

    def check_unused(self, one: ObjectID) -> None:
        """Raises when an object that is being made can still be seen."""
        if self._uses[one] > 1:
            raise errors.PlasmaObjectInUse(f"views of {one} are still held")

    def _release(self, channel: Channel, one: bytes) -> None:
        self._uses[one] -= 1
        if self._uses[one] == 0:
            del self._uses[one]
            # One that was never sealed goes with the connection.
            if channel.is_open and one not in self._unsealed:
                channel.tell(messages.RELEASE, messages.ONE_ID(one))

    def _release_gone(self) -> None:
        while self._gone:
            self._release(self._channel, self._gone.popleft())
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._is_closed and not any(self._uses.values()):
            self._channel.close()
            self._mappings.clear()

    # ---- out of turn

    def release_view(self, one: ObjectID) -> None:
        """Releases the view that an object was made with, if it is there."""
        view = self._unsealed.get(one, lambda: None)()
        if view is not None:
            with contextlib.suppress(BufferError):
                view.release()

    def _dropped(self, one: bytes) -> None:
        """A view is gone; on any thread, perhaps amid a request of its own."""
        if self._process == os.getpid():
            self._gone.append(one)
            self._settle()

    def _settle(self) -> None:
        """Releases what is gone, unless somebody has the lock, who will do so afterwards."""
        while self._gone and self._lock.acquire(blocking=False):
            try:
                self._release_gone()
            except errors.PlasmaConnectionLost:
                pass  # The next request says so.
            finally:
                self._lock.release()

    # ---- waiting

    @contextlib.contextmanager
    def waiting(self, body: bytes, seconds: float) -> "Iterator[List[ObjectID]]":
        """Waits for objects on another connection, which holds what came until the context ends."""
        channel = self._take_waiter()
        try:
            answer = channel.request(messages.GET, body, messages.GET_REPLY, seconds)
            placed = messages.get_reply(answer)
            for _, descriptor, _ in channel.take_files(placed):
                os.close(descriptor)
            there = [as_id(one) for one, _ in placed.places]
            yield there
            for one in there:
                channel.tell(messages.RELEASE, messages.ONE_ID(one))
        except BaseException as error:
            channel.close()
            if isinstance(error, errors.PlasmaConnectionLost):
                self._check()
            raise
        finally:
            self._give_back_waiter(channel)

    def _take_waiter(self) -> Channel:
        self._check()
        try:
            channel = self._waiters.pop()
        except IndexError:
            channel = Channel(self.path, 0, self._reply_timeout)
        self._waiting.add(channel)
        if self._is_closed:
            channel.interrupt()
        return channel

    def _give_back_waiter(self, channel: Channel) -> None:
        self._waiting.discard(channel)
        if self._is_closed or len(self._waiters) >= _IDLE_WAITERS_MAX:
            channel.close()
        elif channel.is_open:
            self._waiters.append(channel)

    # ---- forks

    def close_in_child(self) -> None:
        """Closes this process's descriptors only.

        The store learns of the parent's end only if no child has its connections too.
        """
        for channel in (self._channel, *self._waiters, *self._waiting):
            channel.close()
        if self.subscription is not None:
            self.subscription.close_in_child()


class _Turn:
    """The lock; before and after it, what was released meanwhile."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Channel:
        connection = self._connection
        connection._lock.acquire()
        try:
            if connection._gone:
                connection._release_gone()
            connection._check()
        except BaseException:
            connection._lock.release()
            raise
        return connection._channel

    def __exit__(self, kind: Any, *error: Any) -> None:
        connection = self._connection
        if kind is errors.PlasmaProtocolError:
            connection._channel.close()
        connection._lock.release()
        if connection._gone:
            connection._settle()


_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _close_in_child() -> None:
    for connection in list(_connections):
        connection.close_in_child()


os.register_at_fork(after_in_child=_close_in_child)
