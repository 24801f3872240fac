"""The current batch of each thread and asyncio task, for each client."""

from __future__ import annotations

import contextvars
from typing import Mapping

from .ids import ROOT

# The mapping is never changed, only replaced: contexts copied from one another share it.
_batches: "contextvars.ContextVar[Mapping[object, int]]" = contextvars.ContextVar(
    "gcs_current_batch", default={})


def get(client: object) -> int:
    """The current batch; the root outside of any."""
    return _batches.get().get(client, ROOT)


def set(client: object, batch: int) -> int:
    """Makes a batch the current one, and returns the one before."""
    before = _batches.get()
    after = {owner: current for owner, current in before.items() if owner is not client}
    if batch != ROOT:
        after[client] = batch
    _batches.set(after)
    return before.get(client, ROOT)
