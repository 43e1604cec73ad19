"""Background work that lets the program run."""

from __future__ import annotations

import time
from typing import Final

_SLICE_NS: Final = 100_000
_LONG_SLICE_NS: Final = 500_000
"""Beside a thread that computes, which the event loop waits for anyhow: 5 ms each time."""
_TAKEN_NS: Final = 3_000_000
"""A pause that takes longer says that there is such a thread."""
_AWAKE_NS: Final = 1_000
"""Processor time that no thread wakes up in."""


class Pause:
    """Gives up the GIL once 100 µs of work are done, if somebody may want it.

    A thread that computes is made to give it up only every 5 ms, which is what an event loop in
    the program would wait each time it wakes. But to give it up takes as long as to record half a
    span. So it is kept while no other thread has run since it was given up last: who waits for it
    has used the processor to come to that.
    """

    __slots__ = ("_mine", "_others", "_since", "_slice")

    def __init__(self) -> None:
        self._since = time.perf_counter_ns()
        self._slice = _SLICE_NS
        self._mine = 0
        """Processor time of this thread."""
        self._others = 0
        """That of all others before it was given up the last time."""

    def __call__(self) -> None:
        """Let the program run, if it is time and it may want to."""
        now = time.perf_counter_ns()
        if now - self._since < self._slice:
            return
        if self._is_wanted():
            time.sleep(0)
            self._since = time.perf_counter_ns()
            self._slice = _LONG_SLICE_NS if self._since - now > _TAKEN_NS else _SLICE_NS
        else:
            self._since = now

    def _is_wanted(self) -> bool:
        """Whether another thread has run since this was true the last time."""
        others, mine = time.process_time_ns(), time.thread_time_ns()
        others -= mine
        # A clock that has not moved since the last slice cannot tell: it counts by the hundredth
        # of a second, as that of Windows does. After a fork clocks begin anew.
        is_wanted = mine == self._mine or abs(others - self._others) > _AWAKE_NS
        self._mine = mine
        if is_wanted:
            self._others = others
        return is_wanted
