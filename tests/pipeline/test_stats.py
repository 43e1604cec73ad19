"""What `stats` says about cost, depth, batches and lag, beside the account."""

from __future__ import annotations

import dataclasses
import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ollamatrace import Arrivals, FlushReport, Stats, Tracer
from ollamatrace.cli.carrier import Stored
from ollamatrace.pipeline import attempts, lag, outbox
from ollamatrace.records import SpanRecord
from tests.cli import programs
from tests.destinations.mlflow.loopback import Loopback
from tests.destinations.otlp.collector import Collector
from tests.pipeline.test_outbox import Server
from tests.pipeline.test_pipeline import Destination
from tests.pipeline.tracers import balanced, end_spans, tracer_with, until


@pytest.fixture
def store(tmp_path):
    return f"sqlite:///{tmp_path}/traces.db"


@pytest.fixture
def gated():
    """A destination that is in the middle of its first write until it is let go on."""
    destination = Destination()
    destination.gate.clear()
    yield destination
    destination.gate.set()


@pytest.fixture
def quick(monkeypatch):
    """Retries follow each other quickly."""
    monkeypatch.setattr(attempts, "_FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(attempts, "_LAST_RETRY_S", 0.01)


def behind(tracer):
    [one] = tracer.stats().arrivals.values()
    return one.behind_s


def test_it_is_the_account_and_more_and_does_not_change(store):
    with Tracer(store) as tracer:
        end_spans(tracer, "a")
        report = tracer.flush()
        stats = balanced(tracer.stats())
        assert isinstance(stats, FlushReport)
        for field in dataclasses.fields(FlushReport):
            assert getattr(stats, field.name) == getattr(report, field.name)
        with pytest.raises(dataclasses.FrozenInstanceError):
            stats.batches = 0
        assert not hasattr(stats, "__dict__")
        assert tracer.stats() == dataclasses.replace(tracer.stats())


def test_nothing_has_happened_yet(store):
    with Tracer(store) as tracer:
        stats = tracer.stats()
        assert dataclasses.replace(stats, destinations={}, arrivals={}) == Stats()
        assert stats.arrivals == {store: Arrivals()}
        assert stats.mean_batch_spans is stats.worker_us_per_span is None
        assert stats.arrivals[store].mean_spans is None


def test_batches_of_an_embedded_store_and_an_otlp_server(store):
    with Collector() as server, Tracer([store, server.url]) as tracer:
        end_spans(tracer, *(str(number) for number in range(1200)))
        assert balanced(tracer.flush(60)).delivered == 1200
        stats = tracer.stats()
        stored, sent = stats.arrivals.values()
    assert stats.batched_spans == stored.spans == sent.spans == 1200
    assert stats.batches == stored.batches >= 3
    assert stats.mean_batch_spans == stored.mean_spans == 1200 / stats.batches
    assert 1200 / stats.batches <= stats.largest_batch_spans == stored.largest_spans <= 512
    assert sent.batches == len(server.requests)
    assert sent.largest_spans <= 512
    for one in (stored, sent):
        assert 0 < one.median_lag_s <= one.longest_lag_s
        assert 0 < one.last_lag_s <= one.longest_lag_s
        assert one.behind_s is None


def test_the_most_that_waited_is_known_though_nobody_asked(gated):
    with tracer_with(gated) as tracer:
        end_spans(tracer, "first")
        until(lambda: not tracer.pipeline.waiting)  # the worker has taken it
        end_spans(tracer, *(str(number) for number in range(29)))
        room = tracer.pipeline._queue.bytes
        gated.gate.set()
        assert balanced(tracer.flush()).delivered == 30
        stats = tracer.stats()
        assert (stats.waiting_spans, stats.waiting_bytes) == (0, 0)
        assert (stats.most_waiting_spans, stats.most_waiting_bytes) == (30, room)


def test_what_waits_now(gated):
    with tracer_with(gated) as tracer:
        end_spans(tracer, *"abc")
        stats = tracer.stats()
        assert (stats.waiting_spans, stats.most_waiting_spans) == (3, 3)
        assert stats.waiting_bytes == stats.most_waiting_bytes > 1000
        gated.gate.set()


def test_the_worker_is_charged_for_work_and_not_for_waiting(gated, store):
    with tracer_with(gated) as tracer:
        end_spans(tracer, "a")
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 0.5)
        gated.gate.set()
        tracer.flush()
        until(lambda: tracer.stats().worker_cpu_s)
        assert tracer.stats().worker_cpu_s < 0.5
        assert tracer.stats().arrivals[gated.url].sender_cpu_s == 0
    with Tracer(store) as busy:
        end_spans(busy, *(str(number) for number in range(2000)))
        busy.flush(60)
        stats = busy.stats()
        assert tracer.stats().worker_cpu_s < stats.worker_cpu_s < time.process_time()
        assert stats.worker_us_per_span == pytest.approx(stats.worker_cpu_s * 1e6 / 2000)


def test_a_sender_is_charged_for_its_own(store):
    with Loopback() as server, Tracer([server.url, store]) as tracer:
        end_spans(tracer, "a")
        tracer.flush()
        sent, stored = tracer.stats().arrivals.values()
        first = sent.sender_cpu_s
        assert 0 < first < time.process_time()
        assert stored.sender_cpu_s == 0
        end_spans(tracer, *(str(number) for number in range(500)))
        tracer.flush(60)
        assert tracer.stats().arrivals[server.url].sender_cpu_s > first


def test_a_lag_is_from_the_end_of_a_span_to_the_acknowledgement(gated):
    with tracer_with(gated) as tracer:
        with tracer.span("a"):
            begun = time.monotonic()
            until(lambda: time.monotonic() - begun > 0.3)
            before = time.monotonic()
        ended = time.monotonic()
        until(lambda: behind(tracer) is not None)
        first = behind(tracer)
        assert first <= time.monotonic() - before
        until(lambda: behind(tracer) > first + 0.05)
        longest = time.monotonic() - ended
        gated.gate.set()
        tracer.flush()
        [one] = tracer.stats().arrivals.values()
        assert longest <= one.last_lag_s <= time.monotonic() - before
        assert one.last_lag_s == one.median_lag_s == one.longest_lag_s
        assert one.behind_s is None


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_down_and_comes_back(store):
    with Loopback() as server:
        port, url = server.port, server.url
        tracer = Tracer([url, store])
        end_spans(tracer, "before")
        tracer.flush()
        soon, stored = (one.longest_lag_s for one in tracer.stats().arrivals.values())
    server.hang_up()
    with tracer:
        end_spans(tracer, "a")
        until(lambda: tracer.stats().destinations[url].spooled == 1)
        until(lambda: tracer.stats().arrivals[url].behind_s > max(soon, stored) + 0.1)
        end_spans(tracer, "b")
        waited = tracer.stats().arrivals[url]
        assert (waited.spans, waited.longest_lag_s) == (1, soon)
        until(lambda: tracer.stats().arrivals[store].spans == 3)  # it does not wait for the server
        with Loopback(port=port):
            assert balanced(tracer.flush(60)).delivered == 3
            one, other = tracer.stats().arrivals.values()
    assert one.behind_s is None
    assert waited.behind_s < one.longest_lag_s
    assert other.longest_lag_s < one.longest_lag_s


@pytest.mark.usefixtures("quick")
def test_what_is_dropped_is_not_waited_for():
    server = Server()
    server.poison = {"bad"}
    with tracer_with(server) as tracer:
        end_spans(tracer, "bad")
        until(lambda: balanced(tracer.stats()).dropped == 1)
        assert behind(tracer) is None
        assert tracer.stats().arrivals[server.url].spans == 0


def test_what_a_killed_program_left_is_none_of_ours():
    with Loopback() as server:
        port, url = server.port, server.url
    programs.leave_behind(url)
    with Loopback(port=port) as server, Tracer(url, experiment="Tests") as tracer:
        end_spans(tracer, "ours")
        until(lambda: len(server.spans) == 4)
        tracer.flush()
        one = tracer.stats().arrivals[url]
        assert (one.batches, one.spans, one.largest_spans) == (1, 1, 1)


def test_what_ended_before_has_arrived_without_a_lag(store):
    old = SpanRecord(
        name="old",
        kind="UNKNOWN",
        trace_id="a" * 32,
        span_id="b" * 16,
        parent_id=None,
        start_ns=1_790_000_000_000_000_000,
        end_ns=1_790_000_001_000_000_000,
        status="OK",
        end_reason="returned",
    )
    with Tracer(store) as tracer:
        tracer.pipeline.put(Stored(old), 1000)
        assert tracer.flush().delivered == 1
        assert tracer.stats().arrivals[store] == Arrivals(batches=1, spans=1, largest_spans=1)


def test_only_the_last_batches_are_looked_at(monkeypatch, store):
    monkeypatch.setattr(lag, "_WINDOW", 3)
    destination = Destination()
    destination.gate.clear()
    with tracer_with(destination) as tracer:
        end_spans(tracer, "slow")
        until(lambda: (behind(tracer) or 0) > 0.5)
        destination.gate.set()
        tracer.flush()
        slow = tracer.stats().arrivals[destination.url].longest_lag_s
        for name in "abc":
            end_spans(tracer, name)
            tracer.flush()
        one = tracer.stats().arrivals[destination.url]
        assert one.spans == 4
        assert one.longest_lag_s < slow


class Tiring(Server):
    """Goes down after two requests, once."""

    def send(self, records, pause):
        self.down = self.down or len(self.requests) == 2
        super().send(records, pause)


@pytest.mark.usefixtures("quick")
def test_however_long_a_server_is_away_little_is_kept(monkeypatch):
    monkeypatch.setattr(lag, "_MOST_EXPECTED", 3)
    monkeypatch.setattr(outbox, "_SHIPMENT_ITEMS", 3)
    server = Tiring()
    server.gate.clear()
    with tracer_with(server) as tracer:
        for number in range(10):
            end_spans(tracer, str(number))
            until(lambda number=number: tracer.stats().spooled == number + 1)
        assert len(tracer.pipeline.outboxes[0].lag._expected) == 3
        oldest = behind(tracer)
        until(lambda: behind(tracer) > oldest)
        server.gate.set()
        until(lambda: server.down)
        assert tracer.stats().delivered == 4
        assert behind(tracer) is not None  # more is on its way than was noted
        server.requests.append([])
        server.down = False
        assert balanced(tracer.flush()).delivered == 10
        assert behind(tracer) is None


def test_a_forked_child_starts_anew(gated):
    with tracer_with(gated) as tracer:
        end_spans(tracer, *"abc")
        until(lambda: behind(tracer) is not None)
        child = os.fork()
        if not child:
            fresh = tracer.stats()
            anew = dataclasses.replace(fresh, destinations={}, arrivals={}) == Stats()
            anew = anew and fresh.arrivals == {gated.url: Arrivals()}
            gated.gate = threading.Event()
            gated.gate.set()
            end_spans(tracer, "child's")
            tracer.flush()
            stats = tracer.stats()
            own = stats.batched_spans == stats.arrivals[gated.url].spans == 1
            os._exit(0 if anew and own and stats.most_waiting_spans == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        gated.gate.set()
        assert balanced(tracer.flush()).delivered == 3
        assert tracer.stats().arrivals[gated.url].spans == 3


def test_others_may_ask_all_the_time(store):
    over = threading.Event()

    def ask(tracer):
        seen = [tracer.stats()]
        while not over.is_set():
            seen.append(balanced(tracer.stats()))
        return seen

    with Tracer(store) as tracer, ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, tracer) for _ in range(2)]
        end_spans(tracer, *(str(number) for number in range(1500)))
        tracer.flush(60)
        over.set()
        for seen in [one.result() for one in asking]:
            for before, after in itertools.pairwise(seen):
                assert before.batched_spans <= after.batched_spans <= 1500
                assert before.most_waiting_spans <= after.most_waiting_spans
                assert before.worker_cpu_s <= after.worker_cpu_s
            for one in seen:
                assert one.waiting_spans <= one.most_waiting_spans
                assert one.batched_spans <= one.batches * one.largest_batch_spans
                arrived = one.arrivals[store]
                assert arrived.spans <= arrived.batches * arrived.largest_spans
                assert (arrived.median_lag_s is None) == (not arrived.batches)


def test_a_person_can_read_it(store):
    with Loopback() as server, Tracer([store, server.url]) as tracer:
        assert "no batch yet" in str(tracer.stats())
        end_spans(tracer, *"ab")
        tracer.flush()
        spans, queue, batches, worker, *places = str(tracer.stats()).splitlines()
    assert spans == "spans    2 ended: 2 delivered, 0 in memory, 0 in files, 0 dropped"
    assert queue == "queue    0 spans (0 bytes) now, at most 2 (2 kB)"
    assert batches.startswith("batches  ")
    assert " of processor time, " in worker
    assert worker.endswith(" a span")
    assert [line for line in places if line[0] != " "] == [store, server.url]
    assert sum("lag " in line and "at most" in line for line in places) == 2


def test_the_words_for_numbers():
    said = str(
        Stats(
            accepted=12_345,
            delivered=12_000,
            dropped=345,
            reasons={"queue_full": 345},
            waiting_spans=1,
            waiting_bytes=1_000,
            most_waiting_spans=2_000,
            most_waiting_bytes=2_500_000,
            batches=1,
            batched_spans=100,
            largest_batch_spans=100,
            worker_cpu_s=0.0042,
            arrivals={
                "http://x:1": Arrivals(
                    batches=3,
                    spans=100,
                    largest_spans=60,
                    last_lag_s=0.21,
                    median_lag_s=0.0001,
                    longest_lag_s=61.0,
                    behind_s=4000.0,
                    sender_cpu_s=0.5,
                )
            },
        )
    )
    account, *lines = said.splitlines()
    assert account == (
        "spans    12,345 ended: 12,000 delivered, 0 in memory, 0 in files, 345 dropped "
        "(345 queue_full)"
    )
    assert lines == [
        "queue    1 span (1 kB) now, at most 2,000 (2.5 MB)",
        "batches  1 batch of 100 spans",
        "worker   4.2 ms of processor time, 42 µs a span",
        "http://x:1",
        "         3 batches of 33.3 spans on average, 60 at most",
        "         lag 0.1 ms (median), 1m 01s at most, 210 ms last",
        "         sending took 500 ms of processor time",
        "         the oldest that is not there ended 1h 06m ago",
    ]
