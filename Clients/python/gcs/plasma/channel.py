"""One connection to an object store: frames, and the descriptors that follow them."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import List, Tuple

from ..errors import PlasmaConnectionLost, PlasmaProtocolError
from . import messages

PATH_BYTE_COUNT_MAX = 107
"""The longest path that a unix socket's address has room for."""

BODY_BYTE_COUNT_MAX = 1 << 31
"""The longest answer; FlatBuffers has no longer ones."""

_HEADER = struct.Struct("<qqq")
_RETRY_SECONDS = 0.1
_PIECE_BYTE_COUNT = 1 << 20


class Channel:
    """A connection with one request at a time; the caller sees to that.

    After any error within a request the connection is closed: an answer may be under way.
    """

    def __init__(self, path: str, retries: int, reply_timeout: float) -> None:
        self.path = path
        self._reply_timeout = reply_timeout
        self._files: "set[int]" = set()
        self._socket = _connected(path, retries)
        self._set_timeout(reply_timeout)
        self.capacity = messages.Table(
            self.request(messages.CONNECT, messages.EMPTY, messages.CONNECT_REPLY)).integer(0, "q")

    @property
    def is_open(self) -> bool:
        return self._socket.fileno() >= 0

    def request(self, kind: int, body: bytes, reply: int, wait: float = 0) -> bytes:
        """Sends a message, and reads its answer.

        - `wait`: seconds that the store may take beside the usual; negative for any time.
        """
        try:
            self._send(kind, body)
            if wait:
                self._set_timeout(0 if wait < 0 else wait + self._reply_timeout)
            answer = self._answer(reply)
            if wait:
                self._set_timeout(self._reply_timeout)
            return answer
        except BaseException as error:
            self.close()
            raise self._translated(error)

    def tell(self, kind: int, body: bytes) -> None:
        """Sends a message that has no answer."""
        try:
            self._send(kind, body)
        except BaseException as error:
            self.close()
            raise self._translated(error)

    def take_files(self, placed: messages.Placed) -> List[Tuple[int, int, int]]:
        """Receives the files that the store has not sent on this connection before.

        Each is the store's number, the descriptor, which is the caller's to close, and its size.
        """
        taken: "List[Tuple[int, int, int]]" = []
        try:
            for store_fd, size in placed.files:
                if store_fd not in self._files:
                    taken.append((store_fd, self._descriptor(), size))
                    self._files.add(store_fd)
            return taken
        except BaseException as error:
            for _, descriptor, _ in taken:
                os.close(descriptor)
            self.close()
            raise self._translated(error)

    def give(self, descriptor: int) -> None:
        """Sends a descriptor."""
        try:
            socket.send_fds(self._socket, [b"\0"], [descriptor])
        except BaseException as error:
            self.close()
            raise self._translated(error)

    def close(self) -> None:
        """Closes the connection: the store drops what it holds for it."""
        self._socket.close()

    def __del__(self) -> None:
        found = getattr(self, "_socket", None)
        if found is not None:
            found.close()

    def interrupt(self) -> None:
        """Ends the connection under a thread that waits for an answer."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _set_timeout(self, seconds: float) -> None:
        # The socket's own time-outs: Python's would cost a system call for each read.
        whole = int(seconds)
        value = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)

    def _send(self, kind: int, body: bytes) -> None:
        self._socket.sendall(_HEADER.pack(0, kind, len(body)) + body, socket.MSG_NOSIGNAL)

    def _answer(self, expected: int) -> bytes:
        version, kind, size = _HEADER.unpack(self._read(_HEADER.size))
        if version != 0 or kind != expected or not 0 <= size <= BODY_BYTE_COUNT_MAX:
            raise PlasmaProtocolError(
                f"{self.path} answered with version {version}, type {kind}, {size} bytes, where "
                f"an object store answers with version 0, type {expected}")
        return self._read(size)

    def _read(self, count: int) -> bytes:
        """Exactly so many bytes: the next one may carry a descriptor."""
        first = self._socket.recv(min(count, _PIECE_BYTE_COUNT), socket.MSG_WAITALL)
        if len(first) == count:
            return first
        pieces, missing = [first], count - len(first)
        while missing:
            if not pieces[-1]:
                found = f"{count - missing} of {count} bytes of an answer"
                raise PlasmaConnectionLost(
                    f"the object store at {self.path} closed the connection after {found}")
            piece = self._socket.recv(min(missing, _PIECE_BYTE_COUNT), socket.MSG_WAITALL)
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _descriptor(self) -> int:
        _, found, _, _ = socket.recv_fds(self._socket, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if len(found) != 1:
            raise PlasmaConnectionLost(
                f"the object store at {self.path} did not send the file of an object")
        return found[0]

    def _translated(self, error: BaseException) -> BaseException:
        if isinstance(error, BlockingIOError):
            return PlasmaConnectionLost(
                f"the object store at {self.path} did not answer within "
                f"{self._reply_timeout:g} s")
        if isinstance(error, OSError) and not isinstance(error, PlasmaConnectionLost):
            return PlasmaConnectionLost(f"the object store at {self.path}: {error}")
        return error


def _connected(path: str, retries: int) -> socket.socket:
    size = len(os.fsencode(path))
    if size > PATH_BYTE_COUNT_MAX:
        raise PlasmaConnectionLost(
            f"a socket's path has at most {PATH_BYTE_COUNT_MAX} bytes, found {size}")
    while True:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            found.connect(path)
            return found
        except OSError as error:
            found.close()
            if retries <= 0:
                raise PlasmaConnectionLost(
                    f"there is no object store at {path}: {error}") from error
        except BaseException:
            found.close()
            raise
        retries -= 1
        time.sleep(_RETRY_SECONDS)
