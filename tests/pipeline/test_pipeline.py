"""Every span is accounted for, whatever the destinations do."""

from __future__ import annotations

import os
import threading

import pytest

from ollamatrace import Delivery, guard
from ollamatrace.errors import StoreError
from ollamatrace.pipeline.worker import worker
from ollamatrace.testing import MemoryTracer
from tests.pipeline.tracers import DEADLINE_S, balanced, end_spans, tracer_with, until


class Destination:
    """Keeps what it gets; can be told to refuse, to break on some spans, and to wait."""

    def __init__(self, url="test:"):
        self.url = url
        self.names = []
        self.down = False
        self.poison = set()
        self.down_at = set()
        self.writes = 0
        self.pace_s = 0
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0
        self.wrote = threading.Event()

    def write(self, records, pause):
        assert self.gate.wait(DEADLINE_S)
        if self.down:
            raise StoreError("down")
        self.writes += 1
        if self.pace_s:
            threading.Event().wait(self.pace_s)
        names = {record.name for record in records}
        if len(names) == 1 and names & self.down_at:
            self.down_at = set()
            raise StoreError("down for a moment")
        if any(record.name in self.poison for record in records):
            raise RuntimeError("poison")
        self.names += [record.name for record in records]
        self.wrote.set()
        pause()

    def close(self):
        self.closed += 1

    def abandon(self):
        self.names = []


def test_spans_arrive_by_themselves_in_the_order_of_their_ends():
    destination = Destination()
    with tracer_with(destination) as tracer:
        end_spans(tracer, "a", "b", "c")
        until(lambda: destination.names == ["a", "b", "c"])
        report = balanced(tracer.flush())
        assert (report.accepted, report.delivered) == (3, 3)
        assert list(report.destinations) == ["test:"]
    assert destination.closed == 1


def test_flush_waits_for_what_has_ended_and_no_longer_than_it_may():
    destination = Destination()
    with tracer_with(destination) as tracer:
        destination.gate.clear()
        end_spans(tracer, "a")
        report = balanced(tracer.flush(timeout=0.05))
        assert (report.pending, report.delivered) == (1, 0)
        destination.gate.set()
        assert balanced(tracer.flush()).delivered == 1


async def test_aflush_does_not_block_the_loop():
    import asyncio

    destination = Destination()
    async with tracer_with(destination) as tracer:
        destination.gate.clear()
        end_spans(tracer, "a")
        flushing = asyncio.create_task(tracer.aflush())
        await asyncio.sleep(0)
        destination.gate.set()
        assert (await flushing).delivered == 1


def test_a_full_queue_drops_the_new_and_counts_it(caplog):
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(max_spans=10)) as tracer:
        destination.gate.clear()
        end_spans(tracer, *(str(n) for n in range(30)))
        report = balanced(tracer.stats())
        assert (report.pending, report.reasons) == (10, {"queue_full": 20})
        destination.gate.set()
        assert balanced(tracer.flush()).delivered == 10
        end_spans(tracer, "room again")
        assert balanced(tracer.flush()).delivered == 11
    assert destination.names == [*(str(n) for n in range(10)), "room again"]
    assert caplog.text.count("max_spans") == 1


def test_bytes_are_bounded_too():
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(max_bytes=100_000)) as tracer:
        destination.gate.clear()
        for _ in range(4):
            with tracer.span("big") as big:
                big.inputs = "x" * 40_000
        assert balanced(tracer.stats()).reasons == {"queue_full": 2}
        destination.gate.set()
        tracer.flush()
        with tracer.span("big") as big:
            big.inputs = "x" * 40_000
        assert balanced(tracer.flush()).delivered == 3


def test_a_destination_that_comes_back_gets_everything():
    destination, told = Destination(), []
    with tracer_with(destination, on_warning=told.append) as tracer:
        destination.down = True
        end_spans(tracer, "a", "b")
        assert balanced(tracer.flush(timeout=0.2)).pending == 2
        end_spans(tracer, "c")
        destination.down = False
        assert balanced(tracer.flush()).delivered == 3
    assert destination.names == ["a", "b", "c"]
    assert len(told) == 1
    assert "test: takes no spans now" in told[0]


def test_a_destination_that_is_down_holds_up_no_other():
    down, up = Destination("down:"), Destination("up:")
    down.down = True
    with tracer_with(down, up) as tracer:
        end_spans(tracer, "a", "b")
        until(lambda: up.names == ["a", "b"])
        report = balanced(tracer.stats())
        assert report.destinations["up:"].delivered == 2
        assert report.destinations["down:"].pending == 2
        assert (report.pending, report.delivered) == (2, 0)
        down.down = False
        assert balanced(tracer.flush()).delivered == 2


def test_a_poison_span_is_dropped_alone(monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    destination, other = Destination("one:"), Destination("two:")
    destination.poison = {"bad"}
    with tracer_with(destination, other) as tracer:
        end_spans(tracer, "a", "bad", "b")
        report = balanced(tracer.flush())
        assert (report.delivered, report.reasons) == (2, {"rejected": 1})
        assert report.destinations["one:"].reasons == {"rejected": 1}
        assert report.destinations["two:"].delivered == 3
    assert destination.names == ["a", "b"]


def test_after_close_spans_are_dropped_with_one_warning(caplog):
    destination = Destination()
    tracer = tracer_with(destination)
    tracer.close()
    end_spans(tracer, "late", "later")
    assert balanced(tracer.stats()).reasons == {"closed": 2}
    assert caplog.text.count("the tracer is closed") == 1
    tracer.close()


def test_a_collected_tracer_delivers_and_lets_go():
    destination = Destination()
    tracer = tracer_with(destination)
    destination.gate.clear()
    end_spans(tracer, "a")
    del tracer
    destination.gate.set()
    until(lambda: destination.names == ["a"] and destination.closed == 1)


def test_many_threads(tracer):
    def work():
        for n in range(500):
            with tracer.span(str(n)):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = tracer.finished()
    assert len(records) == len({record.span_id for record in records}) == 4000
    assert balanced(tracer.stats()).delivered == 4000


def test_one_thread_for_all_tracers():
    with MemoryTracer() as one, MemoryTracer() as two:
        end_spans(one, "a")
        end_spans(two, "b")
        assert [r.name for r in one.finished()] + [r.name for r in two.finished()] == ["a", "b"]
        assert len([t for t in threading.enumerate() if t.name == "ollamatrace"]) == 1


def test_put_may_be_entered_again_on_the_same_thread(tracer):
    """A collected stream and a signal handler end spans in the middle of anything."""
    queue = tracer.pipeline._queue
    with queue.lock:
        end_spans(tracer, "inside")
    assert len(tracer.finished()) == 1


def test_a_worker_that_sleeps_is_woken(monkeypatch, tracer):
    monkeypatch.setattr("ollamatrace.pipeline.worker._IDLE_AFTER_S", 0)
    end_spans(tracer, "a")
    tracer.finished()
    until(lambda: worker.idle)
    end_spans(tracer, "b")
    until(lambda: tracer.stats().delivered == 2)


def test_where_no_thread_can_start_the_caller_does_the_work(monkeypatch):
    monkeypatch.setattr(worker, "_thread", None)
    monkeypatch.setattr(worker, "idle", True)
    monkeypatch.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError))
    destination = Destination()
    pipeline = tracer_with(destination)
    end_spans(pipeline, "a")
    assert destination.names == ["a"]
    assert pipeline.flush(0.1).delivered == 1


def test_after_a_fork_the_child_has_its_own_account():
    destination = Destination()
    with tracer_with(destination) as tracer:
        destination.gate.clear()
        end_spans(tracer, "parent's")
        with tracer.span("begun before the fork"):
            read, write = os.pipe()
            child = os.fork()
        if child == 0:
            destination.gate.set()
            end_spans(tracer, "child's")
            report = tracer.flush()
            text = f"{destination.names} {report.accepted} {report.delivered}"
            os.write(write, text.encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 1000).decode() == '["child\'s"] 1 1'
        os.close(read)
        os.close(write)
        destination.gate.set()
        assert balanced(tracer.flush()).delivered == 2
    assert destination.names == ["parent's", "begun before the fork"]


def test_a_warning_hook_that_fails_is_logged(caplog):
    guard.warn("kind", "a message", lambda _: 1 / 0)
    assert "a message" in caplog.text
    assert "on_warning failed" in caplog.text


@pytest.mark.parametrize("setting", ["max_spans", "max_bytes", "delay_s"])
def test_settings_that_cannot_work_are_refused(setting):
    with pytest.raises(ValueError, match=setting):
        Delivery(**{setting: 0})


def test_delay_is_how_soon_spans_leave():
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(delay_s=3600)) as tracer:

        def waits():
            end_spans(tracer, "a")
            tracer.flush()
            destination.wrote.clear()
            end_spans(tracer, "b")
            return not destination.wrote.wait(0.5)

        # A wake-up that was on its way may take the span along, but not every time.
        assert any(waits() for _ in range(5))
        assert tracer.flush().pending == 0
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(delay_s=0.01)) as tracer:
        end_spans(tracer, "leaves")
        assert destination.wrote.wait(DEADLINE_S)


def test_spans_leave_in_batches():
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(delay_s=0.5)) as tracer:
        end_spans(tracer, *(str(n) for n in range(400)))
        assert tracer.flush().delivered == 400
        assert destination.writes <= 5
        assert worker._wakes.qsize() <= 5


def test_a_destination_that_goes_down_at_a_poison_span_loses_only_that(monkeypatch):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    destination = Destination()
    destination.poison = {"bad"}
    destination.down_at = {"b"}  # refuses once, when it is written alone
    with tracer_with(destination) as tracer:
        end_spans(tracer, "a", "bad", "b", "c")
        report = balanced(tracer.flush())
        assert (report.delivered, report.reasons) == (3, {"rejected": 1})
    assert destination.names == ["a", "b", "c"]


def test_flush_and_the_account_agree(tracer):
    """Whoever is told that all has arrived finds it in the account, too."""
    for _ in range(300):
        end_spans(tracer, "a")
        assert tracer.flush().pending == 0


def test_a_busy_tracer_holds_up_neither_flush_nor_another():
    slow, other = Destination("slow:"), Destination("other:")
    slow.pace_s = 0.05  # 512 spans in that time, so the queue never becomes empty
    with tracer_with(slow) as busy, tracer_with(other) as quiet:
        stop = threading.Event()

        def work():
            while not stop.is_set():
                end_spans(busy, *"abcdefgh")

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: busy.stats().pending > 3000)
            end_spans(quiet, "a")
            assert quiet.flush(DEADLINE_S).delivered == 1
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        slow.pace_s = 0
        assert balanced(busy.flush(DEADLINE_S)).pending == 0


def test_a_crowded_queue_is_emptied_before_its_time():
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(max_spans=20, delay_s=3600)) as tracer:
        end_spans(tracer, "begun")
        tracer.flush()
        for n in range(20):
            end_spans(tracer, str(n))
        until(lambda: len(destination.names) >= 10)


@pytest.mark.parametrize("delay_s", [1e-9, 1e10, float("inf")])
def test_any_delay_works(delay_s):
    destination = Destination()
    with tracer_with(destination, delivery=Delivery(delay_s=delay_s)) as tracer:
        end_spans(tracer, "a")
        assert tracer.flush().delivered == 1
