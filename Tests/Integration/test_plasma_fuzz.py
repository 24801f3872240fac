"""A short run of the hostile clients of plasma_fuzz.py; `make test-fuzz` has the long one."""

import os
import random

import plasma_fuzz
import programs


def test_changed_frames_harm_nobody(start):
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    store = start(programs.Store, size=plasma_fuzz.SIZE)
    plasma_fuzz.fuzz(store, seed, seconds=5)
