"""The bounded queue between the program's threads and the worker."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import NamedTuple

from ollamatrace.pipeline.sink import Queued
from ollamatrace.settings import Delivery


class Intake(NamedTuple):
    """What has come to a queue: spans that ended, those without room by reason, those left out."""

    accepted: int
    refused: Counter[str]
    left_out: int


class SpanQueue:
    """Counts every span that ends, keeps it if there is room, and never blocks.

    `put` may be entered again on the same thread in the middle of itself: a collected stream and
    a signal handler end spans too. Hence an RLock, and nothing under it that could wait.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._max_spans, self._half_spans = delivery.max_spans, delivery.max_spans // 2
        self._max_bytes, self._half_bytes = delivery.max_bytes, delivery.max_bytes // 2
        self.lock = threading.RLock()
        self.items: deque[tuple[Queued, int, int, bool]] = deque()
        """What waits: the item, its bytes, 1 if it is a span, and whether it is a part of one."""
        self.closed = False
        self.accepted = 0
        self.queued = 0
        """What was let in: spans and updates."""
        self.waiting = 0
        """Spans that are here or with a destination that has not kept them yet."""
        self.bytes = 0
        """The bytes of those."""
        self.crowded = False
        """More than half of the room is taken: it is time to make some."""
        self.refused: Counter[str] = Counter()
        """Spans that were not let in, by reason."""
        self.left_out = 0
        """Spans that are not recorded, as sampling has decided; they are not accepted."""

    def put(self, item: Queued, size: int, spans: int = 1, is_part: bool = False) -> str | None:  # noqa: FBT001, FBT002  by position it is faster
        """Let `item` in, or say why not: ``"queue_full"`` or ``"closed"``."""
        with self.lock:
            waiting, taken = self.waiting + spans, self.bytes + size
            self.accepted += spans
            self.crowded = waiting > self._half_spans or taken > self._half_bytes
            if self.crowded and (waiting > self._max_spans or taken > self._max_bytes):
                reason = "closed" if self.closed else "queue_full"
                self.refused[reason] += spans
                return reason
            if not is_part:
                self.queued += 1
            self.waiting = waiting
            self.bytes = taken
            self.items.append((item, size, spans, is_part))
            return None

    def intake(self) -> Intake:
        """What has come so far."""
        with self.lock:
            return Intake(self.accepted, Counter(self.refused), self.left_out)

    def leave_out(self, spans: int, *, accepted: int = 0) -> None:
        """Count what is not recorded, and how much of it was accepted before."""
        with self.lock:
            self.left_out += spans
            self.accepted -= accepted

    def close(self) -> None:
        """Let nothing in any more."""
        with self.lock:
            self.closed = True
            self._max_spans = self._half_spans = -1  # no room, whatever is given back

    def release(self, spans: int, size: int) -> None:
        """Give back the room of what has arrived or is lost."""
        with self.lock:
            self.waiting -= spans
            self.bytes -= size

    def forget(self) -> None:
        """Start anew in the child after a fork, with a lock that no lost thread holds."""
        self.lock = threading.RLock()
        self.items.clear()
        self.accepted = self.queued = self.waiting = self.bytes = self.left_out = 0
        self.refused.clear()
