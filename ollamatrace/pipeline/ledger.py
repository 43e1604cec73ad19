"""The account of a tracer's spans, exact at every instant.

What is taken out of the queue is numbered, and what became of it is kept as ranges of numbers: as
things arrive in their order, an account of millions is a few numbers.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ollamatrace.pipeline.queue import Intake
from ollamatrace.pipeline.ranges import Ranges
from ollamatrace.pipeline.report import FlushReport
from ollamatrace.records import Record, SpanRecord

_REJECTED: Final = "rejected"

Numbers = Sequence[tuple[int, int]]
"""Ranges of them: where each begins, and where it ends."""


class Batch:
    """Records that go to every destination.

    Attributes:
        records: Spans and updates, in the order in which they ended; empty when all destinations
            have kept them.
        size: The room that they take in the queue, in bytes.
        first: The number of the first of them; the others follow.
        stop: The number after the last.
    """

    __slots__ = ("first", "keeping", "records", "size", "spans", "stop")

    def __init__(self, records: Sequence[Record], size: int, first: int, destinations: int) -> None:
        self.records = records
        self.size = size
        self.first = first
        self.stop = first + len(records)
        self.keeping = destinations
        """Destinations that have neither stored nor spooled nor dropped it yet."""
        self.spans = sum(1 for record in records if isinstance(record, SpanRecord))


class Account:
    """What became of the spans at one destination; changed under the ledger's lock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kept = Ranges()
        """What is stored, spooled or dropped there."""
        self.finished = Ranges()
        """What is delivered or dropped there."""
        self.dropped = Dropped()


class Dropped:
    """Spans that were dropped, and why."""

    def __init__(self) -> None:
        self.now: dict[str, Ranges] = {}
        self.before: Counter[str] = Counter()
        """Those that nothing more can happen to, as a count alone."""

    def add(self, numbers: Numbers, reason: str) -> None:
        """Count them."""
        ranges = self.now.setdefault(reason, Ranges())
        for part in numbers:
            ranges.add(*part)

    def count(self) -> Counter[str]:
        """How many, by reason."""
        return self.before + Counter({reason: len(one) for reason, one in self.now.items()})

    def fold(self, floor: int) -> None:
        """Keep those below `floor` as a count alone."""
        for reason, ranges in self.now.items():
            self.before[reason] += ranges.count(0, floor)
            ranges.remove(0, floor)


class Ledger:
    """Counts what becomes of batches: in total, where a span counts once, and by destination.

    Args:
        release: Called with the spans and bytes whose room in the queue is free again.
    """

    def __init__(self, urls: Sequence[str], release: Callable[[int, int], None]) -> None:
        self.accounts = [Account(url) for url in urls]
        self._release = release
        self._start()

    def _start(self) -> None:
        self._lock = threading.RLock()  # a signal handler may ask for a report in between
        self._next = 0
        self._floor = 0
        """What is below has arrived, or is dropped, everywhere."""
        self._uncounted = Ranges()
        """The numbers of what is no span."""
        self._uncounted_before = 0
        """How many of those are below the floor."""
        self._lost = Ranges()
        """What at least one destination dropped."""
        self._dropped = Dropped()
        """The same, by the first reason."""

    def batch(self, records: Sequence[Record], size: int, *, others: int, failed: int) -> Batch:
        """Number what has come out of the queue.

        Args:
            records: What has become a record.
            size: The room that it takes in the queue, in bytes.
            others: How much else could not be made, such as updates: it ends here.
            failed: Spans that could not be made. That would be a bug of ours: it is counted, not
                hidden.
        """
        with self._lock:
            batch = Batch(records, size, self._next, len(self.accounts))
            ends = batch.stop + failed + others
            self._next = ends
            for index, record in enumerate(records):
                if not isinstance(record, SpanRecord):
                    self._uncounted.add(batch.first + index, batch.first + index + 1)
            if others:
                self._uncounted.add(batch.stop + failed, ends)
            if ends > batch.stop:
                for account in self.accounts:
                    self._drop(account, [(batch.stop, batch.stop + failed)], _REJECTED)
                    self._finish(account, [(batch.stop, ends)])
        return batch

    def kept(self, batch: Batch, account: Account) -> None:
        """One destination has taken all of `batch` over."""
        with self._lock:
            account.kept.add(batch.first, batch.stop)
            batch.keeping -= 1
            last = not batch.keeping
        if last:
            batch.records = ()
            self._release(batch.spans, batch.size)

    def delivered(self, account: Account, numbers: Numbers) -> None:
        """They have arrived at one destination."""
        with self._lock:
            self._finish(account, numbers)

    def dropped(self, account: Account, numbers: Numbers, reason: str) -> None:
        """One destination has dropped them."""
        with self._lock:
            lost = [part for one in numbers for part in self._uncounted.without(*one)]
            self._drop(account, lost, reason)
            self._finish(account, numbers)

    def _drop(self, account: Account, spans: Numbers, reason: str) -> None:
        account.dropped.add(spans, reason)
        new = [part for one in spans for part in self._lost.without(*one)]
        self._dropped.add(new, reason)
        for part in new:
            self._lost.add(*part)

    def _finish(self, account: Account, numbers: Numbers) -> None:
        for part in numbers:
            account.finished.add(*part)
            account.kept.add(*part)
        self._fold()

    def _fold(self) -> None:
        floor = min(account.finished.reach for account in self.accounts)
        if floor == self._floor or not (self._uncounted or self._lost):
            return
        self._floor = floor
        for dropped in (self._dropped, *(account.dropped for account in self.accounts)):
            dropped.fold(floor)
        self._lost.remove(0, floor)
        self._uncounted_before += self._uncounted.count(0, floor)
        self._uncounted.remove(0, floor)

    def is_finished(self, account: Account, count: int) -> bool:
        """Whether the first `count` things of the queue are delivered or dropped there."""
        with self._lock:
            return account.finished.reach >= count

    def is_kept(self, account: Account, count: int) -> bool:
        """Whether the first `count` things of the queue are stored, spooled or dropped there."""
        with self._lock:
            return account.kept.reach >= count

    def is_done(self, count: int) -> bool:
        """Whether the first `count` things of the queue are delivered or dropped everywhere."""
        return all(self.is_finished(account, count) for account in self.accounts)

    def report(self, intake: Callable[[], Intake]) -> FlushReport:
        """The account as it stands.

        Args:
            intake: Gives what came to the queue. Asked last: what arrives in between is pending.
        """
        with self._lock:
            each = [
                (a.url, self._counts(a.kept, a.finished), a.dropped.count()) for a in self.accounts
            ]
            kept, finished = self.accounts[0].kept, self.accounts[0].finished
            for account in self.accounts[1:]:
                kept, finished = kept.common(account.kept), finished.common(account.finished)
            lost = self._dropped.count()
            total = self._counts(kept, finished)
            # Of what is lost, some has been kept or delivered elsewhere; the rest is not in them.
            before = self._dropped.before.total()
            lost_kept = before + len(kept.common(self._lost))
            lost_finished = before + len(finished.common(self._lost))
        came = intake()
        destinations = {
            url: _report(came, kept - finished, finished - dropped.total(), dropped)
            for url, (kept, finished), dropped in each
        }
        kept_spans, finished_spans = total[0] - lost_kept, total[1] - lost_finished
        return _report(came, kept_spans - finished_spans, finished_spans, lost, destinations)

    def _counts(self, kept: Ranges, finished: Ranges) -> tuple[int, int]:
        """How many spans are in each."""
        return self._spans(kept), self._spans(finished)

    def _spans(self, numbers: Ranges) -> int:
        others = self._uncounted_before + len(numbers.common(self._uncounted))
        return len(numbers) - others

    def forget(self) -> None:
        """Start anew in the child after a fork."""
        self._start()
        for account in self.accounts:
            account.kept, account.finished, account.dropped = Ranges(), Ranges(), Dropped()


def _report(
    came: Intake,
    spooled: int,
    delivered: int,
    dropped: Counter[str],
    destinations: Mapping[str, FlushReport] | None = None,
) -> FlushReport:
    reasons = came.refused + dropped
    lost = reasons.total()
    return FlushReport(
        accepted=came.accepted,
        pending=came.accepted - spooled - delivered - lost,
        spooled=spooled,
        delivered=delivered,
        dropped=lost,
        reasons={reason: count for reason, count in reasons.items() if count},
        destinations=destinations or {},
        sampled_out=came.left_out,
    )
