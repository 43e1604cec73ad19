"""Background work that lets the program run."""

from __future__ import annotations

import time
from typing import Final

_SLICE_NS: Final = 100_000


class Pause:
    """Gives up the GIL once 100 µs of work are done.

    A thread that computes is made to give it up only every 5 ms, which is what an event loop in
    the program would wait each time it wakes.
    """

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.perf_counter_ns()

    def __call__(self) -> None:
        """Let the program run, if it is time."""
        if time.perf_counter_ns() - self._since >= _SLICE_NS:
            time.sleep(0)
            self._since = time.perf_counter_ns()
