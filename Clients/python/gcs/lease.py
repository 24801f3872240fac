"""Keeps batches alive while this process lives: a thread that renews their time-outs."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
import weakref
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import redis

from .commands import key

log = logging.getLogger("gcs")

RENEWALS_PER_LEASE = 3
_RETRIES_PER_LEASE = 12


class _Lease:
    """A time-out in whole seconds, and when to renew it next, by the monotonic clock."""

    __slots__ = ("timeout", "due")

    def __init__(self, timeout: int, since: float) -> None:
        self.timeout = timeout
        self.due = since + timeout / RENEWALS_PER_LEASE


class Renewer:
    """Renews the time-outs of all batches of one server, on one thread that starts with the first.

    It has a connection of its own, so that renewing waits for no other command. The child of a fork
    has neither the leases nor the thread: what the parent began stays the parent's.
    """

    def __init__(self, connect: Callable[[float], redis.Redis]) -> None:
        self._connect = connect
        self._reset()
        _renewers.add(self)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._leases: Dict[int, _Lease] = {}
        self._thread: Optional[threading.Thread] = None
        self._is_closed = False
        self._wakes_at = math.inf

    def add(self, batch: int, timeout: int, since: float) -> None:
        """Renews from now on; `since` is when the time-out was asked for."""
        with self._changed:
            lease = _Lease(timeout, since)
            self._leases[batch] = lease
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="gcs-leases", daemon=True)
                self._thread.start()
            elif lease.due < self._wakes_at:
                self._changed.notify()

    @contextlib.contextmanager
    def last(self, batch: int) -> Iterator[None]:
        """Renews until the end of the block, in which the batch is ended, and no more after it.

        Until: the command may wait for longer than the lease. No more, even if it does not get
        through: then the batch goes when its time is over.
        """
        try:
            yield
        finally:
            with self._changed:
                self._leases.pop(batch, None)

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._is_closed = True
            self._leases.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            batches = self._wait_for_due()
            if batches is None:
                return
            try:
                self._renew(batches)
            except (redis.RedisError, OSError) as error:
                log.warning("could not renew %d batches, will try again: %s", len(batches), error)
                self._put_off(batches)

    def _wait_for_due(self) -> "Optional[List[Tuple[int, int]]]":
        """Waits until a lease is due, and takes those along that soon are; `None` when closed."""
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                next_due = min((lease.due for lease in self._leases.values()), default=math.inf)
                if next_due <= now:
                    return [(batch, lease.timeout) for batch, lease in self._leases.items()
                            if lease.due <= now + lease.timeout / _RETRIES_PER_LEASE]
                self._wakes_at = next_due
                self._changed.wait(None if next_due == math.inf else next_due - now)
        return None

    def _renew(self, batches: "List[Tuple[int, int]]") -> None:
        since = time.monotonic()
        # A server that does not answer must leave time to try again within the shortest lease.
        patience = min(timeout for _, timeout in batches) / RENEWALS_PER_LEASE
        with self._connect(patience) as client:
            pipeline = client.pipeline(transaction=False)
            for batch, timeout in batches:
                # XX: a time-out that somebody lifted stays lifted.
                pipeline.execute_command("EXPIRE", key(batch), timeout, "XX")
            replies = pipeline.execute(raise_on_error=False)
        with self._changed:
            for (batch, timeout), reply in zip(batches, replies):
                if batch not in self._leases:
                    continue
                if isinstance(reply, Exception):
                    log.warning("could not renew batch %d, will try again: %s", batch, reply)
                    self._leases[batch].due = since + timeout / _RETRIES_PER_LEASE
                elif reply:
                    self._leases[batch] = _Lease(timeout, since)
                else:
                    log.info("batch %d is renewed no more: it ended, or has no time-out", batch)
                    del self._leases[batch]

    def _put_off(self, batches: "List[Tuple[int, int]]") -> None:
        now = time.monotonic()
        with self._changed:
            for batch, timeout in batches:
                if batch in self._leases:
                    self._leases[batch].due = now + timeout / _RETRIES_PER_LEASE


_renewers: "weakref.WeakSet[Renewer]" = weakref.WeakSet()


def _after_fork() -> None:
    for renewer in list(_renewers):
        renewer._reset()


os.register_at_fork(after_in_child=_after_fork)
