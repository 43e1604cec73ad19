"""Keeping a store within its limits while it is written."""

from __future__ import annotations

import time
from typing import Final

from ollamatrace.store.retention import Limits
from ollamatrace.store.store import Store

_FULL: Final = 0.95
"""How much of the most bytes may be in use after a step: the next batch needs some."""
_STEP_S: Final = 0.01
_HURRY_S: Final = 1.0
"""The longest that steps follow each other where the bound is exceeded: deleting a batch may take
several times as long as writing it, and there may be one after the other."""
_TURN_S: Final = 0.002
"""How long other processes get the file between them."""
_LOOK_S: Final = 10.0
"""How often traces that are too old are looked for."""


class Keeper:
    """Deletes the oldest traces of a store, in a short step after each write; in more if need be.

    Args:
        store: The store. What is said of its `write` holds for `step`, too.
        max_bytes: The most bytes of the file that are in use.
        max_age_s: How long after its end, in seconds, a trace is kept; may be infinite.
    """

    def __init__(self, store: Store, max_bytes: float, max_age_s: float) -> None:
        self._store = store
        self._bound = max_bytes
        self._max_bytes = max_bytes * _FULL
        self._max_age_s = max_age_s
        self._look_at = 0.0
        self._more = True
        """There is something to do; at first also what an earlier process left."""

    def step(self) -> int:
        """Take one step, if there is something to do, and more while the bound is exceeded.

        Returns:
            How many traces were deleted because of the file's size.

        Raises:
            StoreError: the file cannot be written.
        """
        now = time.monotonic()
        look = now >= self._look_at and self._oldest_ns() > 0
        if not (self._more or look or self._store.used_bytes > self._max_bytes):
            return 0
        self._look_at = now + _LOOK_S
        limits = Limits(self._max_bytes, (self._oldest_ns(), 0))
        swept = self._store.keep_within(limits, _STEP_S)
        oversize = swept.oversize
        while swept.more and self._is_exceeded() and time.monotonic() < now + _HURRY_S:
            time.sleep(_TURN_S)
            swept = self._store.keep_within(limits, _STEP_S)
            oversize += swept.oversize
        self._more = swept.more
        return oversize

    def _is_exceeded(self) -> bool:
        return self._store.used_bytes > self._bound

    def _oldest_ns(self) -> int:
        """When a trace must have ended to be kept."""
        return int(max(0.0, time.time() - self._max_age_s) * 1e9)
