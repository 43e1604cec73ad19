"""From the queue to the batches: records are made, cleaned, sampled and numbered. On the worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ollamatrace import guard
from ollamatrace.pipeline.ledger import Batch, Ledger
from ollamatrace.pipeline.meters import Meters
from ollamatrace.pipeline.queue import SpanQueue
from ollamatrace.pipeline.sampler import Sampler, Sized
from ollamatrace.pipeline.sink import Queued
from ollamatrace.records import Content, Record, SpanRecord

Redact = Callable[[Record, Callable[[], None]], Record]
"""What every record passes; it is given what lets the program run between pieces of work."""
BATCH_SPANS: Final = 512
_BATCH_BYTES: Final = 4 * 1024 * 1024


class LeftOut:
    """A span that is not recorded, on its way to be measured."""

    __slots__ = ("_span",)
    is_sampled = False

    def __init__(self, span: Queued) -> None:
        self._span = span

    def finish(self) -> Record | None:
        """The record, without its content, which is not measured."""
        record = self._span.finish()
        if isinstance(record, SpanRecord):
            record.input_content = record.output_content = Content()
        return record


class Supply:
    """Makes batches of what is in the queue.

    Args:
        queue: What has ended.
        ledger: Numbers what goes out.
        sampler: Decides what does.
        redact: What every record passes before anything else gets it, if there is such a stage.
        meters: Measure all that ends, before it is sampled.
    """

    def __init__(
        self,
        queue: SpanQueue,
        ledger: Ledger,
        sampler: Sampler,
        redact: Redact | None,
        meters: Meters,
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._sampler = sampler
        self._redact = redact
        self._meters = meters
        self.forget()

    def forget(self) -> None:
        """Start anew in the child after a fork."""
        self._ready: deque[Sized] = deque()
        """Records that go out with the next batches."""
        self.taken = 0
        """Spans and updates that have come out of the queue."""
        self.outgoing = 0
        """Those among them that go out, or could not be made: not what is held or left out."""

    @property
    def waits(self) -> bool:
        """Whether there is something for a batch."""
        return bool(self._queue.items or self._ready) or self._sampler.is_due

    def batch(self, pause: Callable[[], None]) -> Batch | None:
        """The next batch; ``None`` if nothing is to go out now.

        Args:
            pause: Called between pieces of work: it lets the program run.
        """
        size = others = failed = 0
        items = self._queue.items
        until = self.taken + BATCH_SPANS
        while items and self.taken < until and size < _BATCH_BYTES:
            item, item_size, item_spans, is_part = items.popleft()
            record = self._record(item, pause)
            if record is not None and not isinstance(item, LeftOut):
                given = Sized(record, item_size)
                size += self._sifted(*self._sampler.sift(given, wanted=item.is_sampled))
            else:
                self._queue.release(item_spans, item_size)
                failed += item_spans
                others += not item_spans and not is_part
                self.outgoing += not is_part
            self.taken += not is_part
            pause()
        if not items and self._sampler.is_due:
            self._sifted(*self._sampler.due())
        records, size = self._next()
        batch = self._ledger.batch(records, size, others=others, failed=failed)
        return batch if records else None

    def _record(self, item: Queued, pause: Callable[[], None]) -> Record | None:
        """What an item is for all that comes after; fails closed."""
        try:
            record = item.finish()
            if record is not None and self._redact is not None:
                record = self._redact(record, pause)
        except Exception as error:  # noqa: BLE001  shielded in place: it is done for each span
            guard.report(f"{type(item).__name__}.finish", error)
            return None
        if isinstance(record, SpanRecord):
            self._meters.measure(record)
        return record

    def _sifted(self, kept: Sequence[Sized], left_out: Sequence[Sized]) -> int:
        """Do with records as was decided; gives the size of those that go out."""
        self._ready.extend(kept)
        self.outgoing += len(kept)
        for record, size in left_out:
            spans = int(isinstance(record, SpanRecord))
            self._queue.release(spans, size)
            self._queue.leave_out(spans, accepted=spans)
        return sum(size for _, size in kept)

    def _next(self) -> tuple[list[Record], int]:
        """As many records as a batch takes, and their size."""
        records: list[Record] = []
        total = 0
        while self._ready and len(records) < BATCH_SPANS and total < _BATCH_BYTES:
            record, size = self._ready.popleft()
            records.append(record)
            total += size
        return records, total
