"""What a tracer costs and how far behind it is, beside its account, for whoever looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ollamatrace.pipeline.report import FlushReport

_US: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How spans of this tracer get to one destination; ``str()`` says it in words.

    A batch is what is acknowledged together: a request that the server has answered, or a write of
    an embedded store. Its lag is that of its oldest span: from the end of the span to the
    acknowledgement, by this machine's clock. What earlier processes left behind is not in here, and
    what ended before this tracer was there, or while the clock was set, is counted without a lag.

    Attributes:
        batches: Batches with spans that have arrived.
        spans: The spans in them; more than were delivered where a part was sent again.
        largest_spans: The most spans in one of them.
        last_lag_s: The lag of the last batch, in seconds; ``None``: there is none.
        median_lag_s: The median of the last 128 batches.
        longest_lag_s: The longest of these.
        behind_s: How many seconds ago the oldest span has ended that has left the queue and has
            neither arrived nor been dropped; ``None``: there is none.
        sender_cpu_s: The processor time of the thread that sends, in seconds, up to the last batch;
            0 for what the worker writes by itself.
    """

    batches: int = 0
    spans: int = 0
    largest_spans: int = 0
    last_lag_s: float | None = None
    median_lag_s: float | None = None
    longest_lag_s: float | None = None
    behind_s: float | None = None
    sender_cpu_s: float = 0.0

    @property
    def mean_spans(self) -> float | None:
        """Spans in a batch, on average; ``None``: there was none."""
        return self.spans / self.batches if self.batches else None

    def __str__(self) -> str:
        from ollamatrace.pipeline import words  # only who asks pays for the import

        return "; ".join(words.of_arrivals(self))


@dataclass(frozen=True, slots=True)
class Stats(FlushReport):
    """The account of all spans, and what it takes to bring them away; ``str()`` is for people.

    Attributes:
        waiting_spans: Spans that take room in memory now: in the queue, or on their way to a file
            or store.
        waiting_bytes: The bytes that all takes there; see `Delivery` for the bounds.
        most_waiting_spans: The most that the worker has seen.
        most_waiting_bytes: The same in bytes.
        batches: Batches with spans that the worker has made of what was in the queue; each goes to
            every destination.
        batched_spans: The spans in them.
        largest_batch_spans: The most in one.
        worker_cpu_s: The processor time that the worker spent for this tracer, in seconds: records,
            rules of privacy, files and the embedded store.
        arrivals: How the spans get to each destination, by its URL without credentials.
    """

    waiting_spans: int = 0
    waiting_bytes: int = 0
    most_waiting_spans: int = 0
    most_waiting_bytes: int = 0
    batches: int = 0
    batched_spans: int = 0
    largest_batch_spans: int = 0
    worker_cpu_s: float = 0.0
    arrivals: Mapping[str, Arrivals] = field(default_factory=dict[str, Arrivals])

    @property
    def mean_batch_spans(self) -> float | None:
        """Spans in a batch, on average; ``None``: there was none."""
        return self.batched_spans / self.batches if self.batches else None

    @property
    def worker_us_per_span(self) -> float | None:
        """The worker's processor time for one span, in µs; ``None``: there was none."""
        return self.worker_cpu_s / _US / self.batched_spans if self.batched_spans else None

    def __str__(self) -> str:
        from ollamatrace.pipeline import words  # as above

        return words.of_stats(self)
