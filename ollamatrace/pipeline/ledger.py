"""The account of a tracer's spans, exact at every instant."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from ollamatrace.pipeline.report import FlushReport
from ollamatrace.records import Record, SpanRecord

_REJECTED: Final = "rejected"


class Batch:
    """Records that go to every destination.

    Attributes:
        records: Spans and updates, in the order in which they ended; empty when all destinations
            have kept them.
        size: The room that they take in the queue, in bytes.
        count: How many they are.
        spans: How many of them are spans: only these are accounted for.
    """

    __slots__ = ("count", "finishing", "keeping", "lost", "records", "size", "spans")

    def __init__(self, records: Sequence[Record], size: int, destinations: int) -> None:
        self.records = records
        self.size = size
        self.count = len(records)
        self.spans = count_spans(records)
        self.keeping = destinations
        """Destinations that have neither stored nor spooled nor dropped it yet."""
        self.finishing = destinations
        """Destinations that it has not arrived at, all of it delivered or dropped."""
        self.lost: set[int] = set()
        """The records, by index, that at least one destination dropped."""


def count_spans(records: Sequence[Record]) -> int:
    """How many of `records` are spans: nothing else is counted."""
    return sum(1 for record in records if isinstance(record, SpanRecord))


class Account:
    """What became of the spans at one destination; changed under the ledger's lock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kept = 0
        """Records that are stored, spooled or dropped there."""
        self.finished = 0
        """Records of batches that are delivered or dropped there, to the last."""
        self.spooled = 0
        self.delivered = 0
        self.dropped: Counter[str] = Counter()


class Ledger:
    """Counts what becomes of batches: in total, where a span counts once, and by destination.

    Args:
        release: Called with the spans and bytes whose room in the queue is free again.
    """

    def __init__(self, urls: Sequence[str], release: Callable[[int, int], None]) -> None:
        self.accounts = [Account(url) for url in urls]
        self.done = 0
        """What is delivered or dropped at all destinations, of all that was queued."""
        self._release = release
        self._lock = threading.RLock()  # a signal handler may ask for a report in between
        self._spooled = 0
        self._delivered = 0
        self._dropped: Counter[str] = Counter()

    def kept(self, batch: Batch, account: Account, *, spooled: bool) -> None:
        """One destination has taken `batch` over; `spooled`: into a file, to be sent."""
        with self._lock:
            account.kept += batch.count
            if spooled:
                account.spooled += batch.spans
            batch.keeping -= 1
            last = not batch.keeping
            if last and batch.finishing:
                self._spooled += batch.spans - len(batch.lost)
        if last:
            batch.records = ()
            self._release(batch.spans, batch.size)

    def delivered(self, account: Account, spans: int, *, spooled: bool) -> None:
        """`spans` have arrived at one destination."""
        with self._lock:
            account.delivered += spans
            if spooled:
                account.spooled -= spans

    def dropped(
        self, batch: Batch, account: Account, indices: Sequence[int], reason: str, *, spooled: bool
    ) -> None:
        """One destination has dropped the spans at `indices` of `batch`."""
        with self._lock:
            account.dropped[reason] += len(indices)
            if spooled:
                account.spooled -= len(indices)
            new = set(indices) - batch.lost
            batch.lost |= new
            self._dropped[reason] += len(new)
            if not batch.keeping:
                self._spooled -= len(new)

    def finished(self, batch: Batch, account: Account) -> None:
        """All of `batch` is delivered or dropped at one destination."""
        with self._lock:
            account.finished += batch.count
            batch.finishing -= 1
            if not batch.finishing:
                arrived = batch.spans - len(batch.lost)
                self._delivered += arrived
                self.done += batch.count
                if not batch.keeping:
                    self._spooled -= arrived

    def ended(self, spans: int) -> None:
        """Something queued ends here: a part of a stream, or a span that could not be made.

        That would be a bug of ours: it is counted, not hidden.
        """
        with self._lock:
            self.done += 1
            for account in self.accounts:
                account.kept += 1
                account.finished += 1
                account.dropped[_REJECTED] += spans
            self._dropped[_REJECTED] += spans

    def report(self, intake: Callable[[], tuple[int, Counter[str]]]) -> FlushReport:
        """The account as it stands.

        Args:
            intake: Gives how many spans were accepted, and how many of those the queue refused by
                reason. Asked last: what arrives in between is pending.
        """
        with self._lock:
            sums = self._spooled, self._delivered, Counter(self._dropped)
            each = [(a.url, a.spooled, a.delivered, Counter(a.dropped)) for a in self.accounts]
        accepted, refused = intake()
        destinations = {
            url: _report(accepted, refused, spooled, delivered, dropped)
            for url, spooled, delivered, dropped in each
        }
        return _report(accepted, refused, *sums, destinations)

    def forget(self) -> None:
        """Start anew in the child after a fork."""
        self._lock = threading.RLock()
        self.done = self._spooled = self._delivered = 0
        self._dropped.clear()
        for account in self.accounts:
            account.kept = account.finished = account.spooled = account.delivered = 0
            account.dropped.clear()


def _report(
    accepted: int,
    refused: Counter[str],
    spooled: int,
    delivered: int,
    dropped: Counter[str],
    destinations: dict[str, FlushReport] | None = None,
) -> FlushReport:
    reasons = refused + dropped
    lost = reasons.total()
    return FlushReport(
        accepted=accepted,
        pending=accepted - spooled - delivered - lost,
        spooled=spooled,
        delivered=delivered,
        dropped=lost,
        reasons={reason: count for reason, count in reasons.items() if count},
        destinations=destinations or {},
    )
