"""What an object store tells its subscribers."""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from typing import Any, Deque, Optional

from ..errors import PlasmaConnectionLost, PlasmaProtocolError
from . import messages
from .channel import BODY_BYTE_COUNT_MAX, Channel
from .messages import Notification

_SIZE = struct.Struct("<q")
_PIECE_BYTE_COUNT = 64 << 10


class Subscription:
    """The objects that are sealed and that go, beginning with those that are sealed already.

    Has a connection of its own. Iterating waits for the next notification, and ends once the
    subscription is closed. For one thread at a time; `close` may be called on any.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._buffer = bytearray()
        self._ready: "Deque[Notification]" = deque()
        self._is_closed = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            # The store would stand still for a subscriber that does not read.
            theirs.setblocking(False)
            channel.tell(messages.SUBSCRIBE, messages.EMPTY)
            channel.give(theirs.fileno())

    def next(self, timeout: Optional[float] = None) -> Optional[Notification]:
        """The next notification; `None` after `timeout` seconds without any."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready:
            if not self._receive(deadline):
                return None
        return self._ready.popleft()

    def fileno(self) -> int:
        """The descriptor to select on: readable when more came."""
        return self._socket.fileno()

    def close(self) -> None:
        """Ends it, also for a thread that waits in it."""
        self._is_closed = True
        self._channel.close()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close_in_child(self) -> None:
        """Closes this process's descriptors only."""
        self._channel.close()
        self._socket.close()

    def __iter__(self) -> "Subscription":
        return self

    def __next__(self) -> Notification:
        try:
            found = self.next()
        except PlasmaConnectionLost:
            if self._is_closed:
                raise StopIteration from None
            raise
        assert found is not None
        return found

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __del__(self) -> None:
        found = getattr(self, "_socket", None)
        if found is not None:
            found.close()

    def _receive(self, deadline: Optional[float]) -> bool:
        """Reads once; false at the deadline."""
        patience = None if deadline is None else max(deadline - time.monotonic(), 0)
        try:
            self._socket.settimeout(patience)
            data = self._socket.recv(_PIECE_BYTE_COUNT)
        except (BlockingIOError, socket.timeout):
            return False
        except OSError as error:
            raise PlasmaConnectionLost(f"the subscription: {error}") from error
        if not data:
            raise PlasmaConnectionLost(
                "the subscription is closed" if self._is_closed
                else "the object store closed the subscription")
        self._buffer += data
        self._parse()
        return True

    def _parse(self) -> None:
        start = 0
        while len(self._buffer) - start >= _SIZE.size:
            size, = _SIZE.unpack_from(self._buffer, start)
            if not 0 <= size <= BODY_BYTE_COUNT_MAX:
                raise PlasmaProtocolError(f"a notification of {size} bytes")
            end = start + _SIZE.size + size
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[start + _SIZE.size:end])
            self._ready.extend(messages.notifications(body))
            start = end
        del self._buffer[:start]
