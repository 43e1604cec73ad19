"""How much a tracer's worker has to do, and what it takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from ollamatrace.pipeline.ledger import Batch
from ollamatrace.pipeline.queue import SpanQueue
from ollamatrace.pipeline.report import FlushReport
from ollamatrace.pipeline.stats import Arrivals, Stats

_ACCOUNT: Final = tuple(FlushReport.__dataclass_fields__)


class Load:
    """Measured on the worker, a few times a batch: the program's threads do nothing for it.

    Args:
        queue: What waits. It is deepest just before something leaves it, and then it is looked at.
    """

    def __init__(self, queue: SpanQueue) -> None:
        self._queue = queue
        self.forget()

    def forget(self) -> None:
        """Start anew in the child after a fork."""
        self._most_spans = self._most_bytes = 0
        self._batches = self._spans = self._largest = 0
        self._cpu_s = 0.0

    def look(self) -> None:
        """See how much waits."""
        with self._queue.lock:
            self._most_spans = max(self._most_spans, self._queue.waiting)
            self._most_bytes = max(self._most_bytes, self._queue.bytes)

    def release(self, spans: int, size: int) -> None:
        """Give back the room of what has arrived or is lost."""
        self.look()
        self._queue.release(spans, size)

    def made(self, batch: Batch) -> None:
        """Count a batch."""
        with self._queue.lock:
            self._batches += bool(batch.spans)
            self._spans += batch.spans
            self._largest = max(self._largest, batch.spans)

    def worked(self, since: float) -> float:
        """Count the time that this thread has had the processor.

        Args:
            since: What its clock said before, in seconds.

        Returns:
            What it says now.
        """
        now = time.thread_time()
        with self._queue.lock:
            self._cpu_s += now - since
        return now

    def stats(self, account: FlushReport, arrivals: Mapping[str, Arrivals]) -> Stats:
        """All of it, beside the account."""
        with self._queue.lock:
            self.look()
            return Stats(
                **{name: getattr(account, name) for name in _ACCOUNT},
                waiting_spans=self._queue.waiting,
                waiting_bytes=self._queue.bytes,
                most_waiting_spans=self._most_spans,
                most_waiting_bytes=self._most_bytes,
                batches=self._batches,
                batched_spans=self._spans,
                largest_batch_spans=self._largest,
                worker_cpu_s=self._cpu_s,
                arrivals=arrivals,
            )
