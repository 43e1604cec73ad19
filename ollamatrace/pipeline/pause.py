"""Background work that lets the program run."""

from __future__ import annotations

import time
from typing import Final

_SLICE_NS: Final = 100_000
_LONG_SLICE_NS: Final = 500_000
"""Beside a thread that computes, which the event loop waits for anyhow: 5 ms each time."""
_TAKEN_NS: Final = 3_000_000
"""A pause that takes longer says that there is such a thread."""


class Pause:
    """Gives up the GIL once 100 µs of work are done.

    A thread that computes is made to give it up only every 5 ms, which is what an event loop in
    the program would wait each time it wakes.
    """

    __slots__ = ("_since", "_slice")

    def __init__(self) -> None:
        self._since = time.perf_counter_ns()
        self._slice = _SLICE_NS

    def __call__(self) -> None:
        """Let the program run, if it is time."""
        now = time.perf_counter_ns()
        if now - self._since >= self._slice:
            time.sleep(0)
            self._since = time.perf_counter_ns()
            self._slice = _LONG_SLICE_NS if self._since - now > _TAKEN_NS else _SLICE_NS
