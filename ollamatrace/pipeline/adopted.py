"""The account of what other processes left behind: the tracer that sends it did not accept it."""

from __future__ import annotations

from collections import Counter


class Adopted:
    """Counted apart from the tracer's own: ``taken`` is ``done`` and what still waits.

    Attributes:
        taken: Records, spans and updates of traces, that were taken over.
        done: Those of them that are delivered or dropped.
        delivered: Spans that the server has.
        dropped: Spans that are lost or set aside, by reason as in `FlushReport`.
    """

    __slots__ = ("delivered", "done", "dropped", "taken")

    def __init__(self) -> None:
        self.taken = self.done = self.delivered = 0
        self.dropped: Counter[str] = Counter()

    @property
    def left(self) -> int:
        """How many records still wait."""
        return self.taken - self.done
