"""The account against one that looks at every span by itself."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollamatrace.pipeline.ledger import Ledger
from ollamatrace.pipeline.queue import Intake
from ollamatrace.records import SpanRecord, TraceUpdate
from tests.pipeline.tracers import balanced

URLS = ("a", "b", "c")
UPDATE = TraceUpdate(trace_id="1" * 32)
SPAN = SpanRecord(
    name="x",
    kind="LLM",
    trace_id="1" * 32,
    span_id="2" * 16,
    parent_id=None,
    start_ns=0,
    end_ns=1,
    status="OK",
    end_reason="returned",
)


class Naive:
    """What became of each span at each destination, in a table."""

    def __init__(self):
        self.fates = []
        self.first_reasons = {}

    def take(self, is_span, fate="pending"):
        self.fates.append([fate] * len(URLS) if is_span else None)

    def becomes(self, number, place, fate):
        if self.fates[number] is not None:
            self.fates[number][place] = fate
            if fate.startswith("dropped"):
                self.first_reasons.setdefault(number, fate)

    def count(self, place):
        return Counter(fates[place] for fates in self.fates if fates is not None)

    def total(self):
        return Counter(
            self._of(number, fates) for number, fates in enumerate(self.fates) if fates is not None
        )

    def _of(self, number, fates):
        if number in self.first_reasons:
            return self.first_reasons[number]
        return next(one for one in ("pending", "spooled", "delivered") if one in fates)


def same(report, counts):
    reasons = {fate.split()[1]: n for fate, n in counts.items() if fate.startswith("dropped")}
    assert report.reasons == reasons
    for name in ("pending", "spooled", "delivered"):
        assert getattr(report, name) == counts[name], name


BATCHES = st.lists(
    st.tuples(
        st.lists(st.booleans(), max_size=6), st.integers(0, 2), st.integers(0, 2), st.booleans()
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(BATCHES, st.randoms(use_true_random=False))
def test_each_span_is_counted_as_what_became_of_it(batches, random):
    released, naive = [], Naive()
    ledger = Ledger(URLS, lambda spans, size: released.append((spans, size)))
    waiting = []
    for kinds, parts, failed, spooled in batches:
        records = [SPAN if is_span else UPDATE for is_span in kinds]
        batch = ledger.batch(records, 10, others=parts, failed=failed)
        for is_span in kinds:
            naive.take(is_span)
        for _ in range(failed):
            naive.take(True, "dropped rejected")
            naive.first_reasons[len(naive.fates) - 1] = "dropped rejected"
        for _ in range(parts):
            naive.take(False)
        for place in range(len(URLS)):
            if records and spooled:
                ledger.kept(batch, ledger.accounts[place])
                for number in range(batch.first, batch.stop):
                    naive.becomes(number, place, "spooled")
            waiting += [(place, number) for number in range(batch.first, batch.stop)]
        random.shuffle(waiting)
        for place, number in [waiting.pop() for _ in range(len(waiting) // 2)]:
            settle(ledger, naive, place, number, random)
        accepted = len([fates for fates in naive.fates if fates is not None])
        report = balanced(ledger.report(lambda accepted=accepted: Intake(accepted, Counter(), 0)))
        same(report, naive.total())
        for place, url in enumerate(URLS):
            same(report.destinations[url], naive.count(place))
        done = all(fates is None or _over(fates) for fates in naive.fates)
        assert ledger.is_done(len(naive.fates)) == (done and not waiting)
    assert len(released) == sum(1 for kinds, _, _, spooled in batches if kinds and spooled)


def settle(ledger, naive, place, number, random):
    fate = random.choice(["delivered", "delivered", "dropped full", "dropped old"])
    naive.becomes(number, place, fate)
    account, part = ledger.accounts[place], [(number, number + 1)]
    if fate == "delivered":
        ledger.delivered(account, part)
    else:
        ledger.dropped(account, part, fate.split()[1])


def _nothing(_spans, _size):
    """Nobody waits for room."""


def _over(fates):
    return not {"pending", "spooled"} & set(fates)


@pytest.mark.parametrize("reason", [None, "rejected"])
def test_an_account_of_many_takes_no_more_room_than_one_of_few(reason):
    ledger = Ledger(URLS, _nothing)
    for _ in range(1000):
        batch = ledger.batch([SPAN, UPDATE, SPAN], 10, others=1, failed=0)
        for account in ledger.accounts:
            ledger.kept(batch, account)
            ledger.delivered(account, [(batch.first, batch.stop - 1)])
            if reason:
                ledger.dropped(account, [(batch.stop - 1, batch.stop)], reason)
            else:
                ledger.delivered(account, [(batch.stop - 1, batch.stop)])
    ranges = [
        ledger._uncounted,
        ledger._lost,
        *ledger._dropped.now.values(),
        *(one for a in ledger.accounts for one in (a.kept, a.finished, *a.dropped.now.values())),
    ]
    assert max(len(one.bounds) for one in ranges) <= 2
    report = ledger.report(lambda: Intake(2000, Counter(), 0))
    assert report.delivered == (1000 if reason else 2000)


def test_after_a_fork_it_begins_anew():
    ledger = Ledger(URLS, _nothing)
    batch = ledger.batch([SPAN, SPAN], 10, others=0, failed=0)
    ledger.dropped(ledger.accounts[0], [(batch.first, batch.stop)], "rejected")
    ledger.forget()
    report = balanced(ledger.report(lambda: Intake(0, Counter(), 0)))
    assert report.dropped == report.delivered == 0
    assert ledger.batch([SPAN], 10, others=0, failed=0).first == 0
