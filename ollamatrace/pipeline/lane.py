"""One destination's way out of the pipeline, with its own position."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from ollamatrace import guard
from ollamatrace.errors import OllamatraceError
from ollamatrace.pipeline.sink import Sink
from ollamatrace.records import SpanRecord

_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 5.0


class Batch:
    """Spans that go to every destination; their room is given back when the last is done."""

    __slots__ = ("lanes", "lost", "records", "size")

    def __init__(self, records: list[SpanRecord], size: int, lanes: int) -> None:
        self.records = records
        self.size = size
        self.lanes = lanes
        """Destinations that have not dealt with it yet."""
        self.lost: set[int] = set()
        """The records, by index, that at least one destination dropped."""


class Lane:
    """Keeps batches until the destination has them; one that is down holds up no other."""

    def __init__(
        self,
        sink: Sink,
        on_drop: Callable[[Batch, int, str], None],
        on_done: Callable[[Batch], None],
    ) -> None:
        self.sink = sink
        self._on_drop = on_drop
        self._on_done = on_done
        self._batches: deque[Batch] = deque()
        self._position = 0
        """How far it is in the first of them."""
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self._delay_s = _FIRST_RETRY_S
        self.retry_at = 0.0
        """When to try again, on the monotonic clock; 0 while all is well."""
        self.down_since = 0.0
        """Since when it has refused; 0 while all is well."""

    @property
    def settled(self) -> int:
        """How many spans are behind it, delivered or dropped."""
        return self.delivered + self.dropped.total()

    def offer(self, batch: Batch) -> None:
        """Take a batch in."""
        self._batches.append(batch)

    def push(
        self, pause: Callable[[], None], told: Callable[[str], None] | None, *, now: bool
    ) -> None:
        """Write what is here, until the destination refuses; `now` does not wait for the retry."""
        while self._batches and (now or time.monotonic() >= self.retry_at):
            batch = self._batches[0]
            try:
                self._write(batch, pause)
            except OllamatraceError as error:
                guard.warn(
                    f"down:{self.sink.url}",
                    f"{self.sink.url} takes no spans now; they wait in memory: {error}",
                    told,
                )
                failed = time.monotonic()
                self.down_since = self.down_since or failed
                self.retry_at = failed + self._delay_s
                self._delay_s = min(2 * self._delay_s, _LAST_RETRY_S)
                return
            self._batches.popleft()
            self._position = 0
            self._well()
            self._on_done(batch)

    def _write(self, batch: Batch, pause: Callable[[], None]) -> None:
        try:
            self.sink.write(batch.records[self._position :], pause)
        except OllamatraceError:
            raise
        except Exception as error:  # noqa: BLE001  a poison span must not hold up the others
            guard.report(f"{type(self.sink).__name__}.write", error)
        else:
            self.delivered += len(batch.records) - self._position
            return
        while self._position < len(batch.records):
            try:
                self.sink.write([batch.records[self._position]], pause)
            except OllamatraceError:
                raise  # it is down: the rest waits
            except Exception:  # noqa: BLE001  reported for the whole batch; here it is counted
                self._drop(batch, self._position, "rejected")
            else:
                self.delivered += 1
            self._position += 1

    def drop(self, reason: str) -> None:
        """Give up what is still here."""
        while self._batches:
            batch = self._batches.popleft()
            for index in range(self._position, len(batch.records)):
                self._drop(batch, index, reason)
            self._position = 0
            self._on_done(batch)

    def forget(self) -> None:
        """Leave to the parent, in the child after a fork, what is the parent's."""
        self._batches.clear()
        self._position = 0
        self.delivered = 0
        self.dropped.clear()
        self._well()
        self.sink.abandon()

    def _well(self) -> None:
        self.retry_at, self.down_since, self._delay_s = 0.0, 0.0, _FIRST_RETRY_S

    def _drop(self, batch: Batch, index: int, reason: str) -> None:
        self.dropped[reason] += 1
        self._on_drop(batch, index, reason)
