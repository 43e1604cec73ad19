"""Test doubles for programs that are traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ollamatrace.pipeline import Sink
from ollamatrace.records import Record, SpanRecord, TraceUpdate
from ollamatrace.settings import Capture, Sampling
from ollamatrace.spans import apply
from ollamatrace.tracer import Tracer


class _Memory:
    url = "memory:"

    def __init__(self) -> None:
        self.records: list[SpanRecord] = []

    def write(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        for record in records:
            if isinstance(record, TraceUpdate):
                self._apply(record)
            else:
                self.records.append(record)
        pause()

    def _apply(self, update: TraceUpdate) -> None:
        for record in self.records:
            if record.trace_id == update.trace_id:
                apply(update, record)

    def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        self.records = []


class MemoryTracer(Tracer):
    """A tracer that keeps its spans in memory, to be looked at by a test.

    Example:
        >>> with MemoryTracer() as tracer:
        ...     client = TracedClient(OpenAI(), tracer=tracer)
        ...     ...
        ...     [record] = tracer.finished()
    """

    def __init__(
        self,
        *,
        capture: Capture = Capture(),  # noqa: B008  frozen
        sampling: Sampling = Sampling(),  # noqa: B008
    ) -> None:
        self._memory = _Memory()
        super().__init__(capture=capture, sampling=sampling)

    def _open(self, *_address: object, **_settings: object) -> list[Sink]:
        return [self._memory]

    def finished(self, timeout: float = 5) -> list[SpanRecord]:
        """Wait for what has ended by now, and take it out: the records in the order of their ends.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        until = time.monotonic() + timeout
        report = self.flush(timeout)
        # What ends meanwhile, in another thread, is not waited for.
        if report.pending and time.monotonic() >= until:
            raise TimeoutError(f"{report.pending} spans are not recorded after {timeout} s")
        records, self._memory.records = self._memory.records, []
        return records
