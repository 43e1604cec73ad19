"""How long spans take from their end to one destination."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from ollamatrace.guard import shielded
from ollamatrace.pipeline.ledger import Account, Batch, Ledger
from ollamatrace.pipeline.stats import Arrivals
from ollamatrace.records import Record, SpanRecord

_WINDOW: Final = 128
"""Of how many batches the lags are kept."""
_MOST_EXPECTED: Final = 1024
"""How many batches are looked at one by one; a server may be away for days."""
_NS: Final = 1e9


class Lag:
    """Hears of batches when they are made and when they arrive; any thread may ask.

    Args:
        ledger: Knows what has arrived.
        account: The destination's.
    """

    def __init__(self, ledger: Ledger, account: Account) -> None:
        self._ledger = ledger
        self._account = account
        self.forget()

    def forget(self) -> None:
        """Start anew in the child after a fork, with a lock that no lost thread holds."""
        self._lock = threading.RLock()  # a signal handler may ask in between
        self._began = time.monotonic()
        self._expected: deque[tuple[int, float]] = deque()
        """Where batches stop, and when their oldest span ended, on the monotonic clock."""
        self._lags: deque[float] = deque(maxlen=_WINDOW)
        self._batches = self._spans = self._largest = 0
        self._sender_cpu_s = 0.0

    @shielded
    def expect(self, batch: Batch) -> None:
        """It is on its way."""
        lag = self._longest(batch.records)
        with self._lock:
            while self._expected and self._is_settled(self._expected[0][0]):
                self._expected.popleft()
            if lag is not None:
                if len(self._expected) < _MOST_EXPECTED:
                    self._expected.append((batch.stop, time.monotonic() - lag))
                else:  # both are there when the later one is
                    self._expected[-1] = (batch.stop, self._expected[-1][1])

    @shielded
    def arrived(self, records: Iterable[Record], sender_cpu_s: float = 0.0) -> None:
        """They have been acknowledged together.

        To be called before the ledger hears of it, and so whoever waits for that.

        Args:
            records: Spans, and what else there is.
            sender_cpu_s: What the thread that sends has used so far, in seconds.
        """
        spans = [record for record in records if isinstance(record, SpanRecord)]
        lag = self._longest(spans)
        with self._lock:
            self._sender_cpu_s = sender_cpu_s
            self._batches += bool(spans)
            self._spans += len(spans)
            self._largest = max(self._largest, len(spans))
            if lag is not None:
                self._lags.append(lag)

    def arrivals(self) -> Arrivals:
        """What was heard so far."""
        with self._lock:
            # Nothing is taken out here: a signal handler may be asking in the middle of this.
            ends = (end for stop, end in tuple(self._expected) if not self._is_settled(stop))
            oldest = next(ends, None)
            lags = sorted(self._lags)
            return Arrivals(
                batches=self._batches,
                spans=self._spans,
                largest_spans=self._largest,
                last_lag_s=self._lags[-1] if lags else None,
                median_lag_s=lags[len(lags) // 2] if lags else None,
                longest_lag_s=lags[-1] if lags else None,
                behind_s=None if oldest is None else time.monotonic() - oldest,
                sender_cpu_s=self._sender_cpu_s,
            )

    def _is_settled(self, stop: int) -> bool:
        return self._ledger.is_finished(self._account, stop)

    def _longest(self, records: Iterable[Record]) -> float | None:
        """How many seconds ago the first span ended; ``None`` if that cannot be."""
        ends = [record.end_ns for record in records if isinstance(record, SpanRecord)]
        lag = max(time.time_ns() - min(ends), 0) / _NS if ends else math.inf
        # It was brought here as it is, or the clock was set.
        return lag if lag <= time.monotonic() - self._began else None
