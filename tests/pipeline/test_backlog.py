"""A server that is away for long, and little memory, cost the program nothing else."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from ollamatrace import ConfigError, Delivery, flush_on_sigterm
from ollamatrace.pipeline import attempts, outbox
from ollamatrace.pipeline.parcel import Parcel
from ollamatrace.settings import default_spool
from ollamatrace.spool import Spool
from ollamatrace.testing import MemoryTracer
from tests.pipeline.test_outbox import Server, segments
from tests.pipeline.tracers import balanced, end_spans, tracer_with, until

URL = "http://test:1"


class Part:
    """A part of a stream that goes on."""

    def finish(self):
        return None


@pytest.fixture
def server():
    return Server(URL)


def leave_files(count, blob=""):
    """As many ended programs as that have left a span each."""
    memory = MemoryTracer()
    for number in range(count):
        with memory.span(f"left {number}") as one:
            one.inputs = blob
    for record in memory.finished():
        spool = Spool(default_spool(), URL, "Default")
        spool.append(record.line() + b"\n")
        spool.close()


def open_segments():
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        try:
            found += str(default_spool()) in str(one.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def test_what_many_programs_left_leaves_files_for_the_program_to_open(server):
    leave_files(100)
    server.gate.clear()
    with tracer_with(server) as tracer:
        end_spans(tracer, "own")
        until(lambda: tracer.pipeline.outboxes[0].adopted.taken)
        tracer.flush(timeout=0.1)
        assert open_segments() < 40
        server.gate.set()
        until(lambda: len(server.names) == 101)  # in many rounds, without being asked
        until(lambda: tracer.pipeline.outboxes[0].adopted.delivered == 100)
        until(lambda: not segments())


def test_what_is_too_much_goes_also_where_it_is_in_more_files_than_are_open(server):
    leave_files(100, "x" * 1000)
    server.gate.clear()
    size = segments()[0].stat().st_size
    with tracer_with(server, delivery=Delivery(spool_max_bytes=50 * size)) as tracer:
        end_spans(tracer, "own")
        adopted = tracer.pipeline.outboxes[0].adopted
        until(lambda: adopted.dropped["spool_full"] > 45)
        until(lambda: tracer.stats().spooled)
        assert sum(path.stat().st_size for path in segments()) <= 51 * size
        server.gate.set()
        assert balanced(tracer.flush()).delivered == 1  # the oldest went, and not this one


def test_parts_of_streams_do_not_make_the_backlog_take_more_memory(server, monkeypatch):
    monkeypatch.setattr(outbox, "_MEMORY_BYTES", 0)
    server.gate.clear()
    with tracer_with(server) as tracer:
        end_spans(tracer, "sent")
        until(lambda: server.attempts)
        for number in range(1, 50):
            assert tracer.pipeline.put(Part(), 10, spans=0, is_part=True)
            end_spans(tracer, "waits")
            until(lambda number=number: tracer.stats().spooled == number + 1)
        assert len(tracer.pipeline.outboxes[0]._parcels) == 1
        server.gate.set()
        assert balanced(tracer.flush()).delivered == 50
        assert tracer.pipeline.quiet  # nor is a part waited for


def test_a_clock_that_is_set_makes_nothing_old(server, monkeypatch):
    server.gate.clear()
    with tracer_with(server, delivery=Delivery(spool_max_age_s=1000)) as tracer:
        end_spans(tracer, "a")
        until(lambda: tracer.stats().spooled == 1)
        end_spans(tracer, "b")
        until(lambda: tracer.stats().spooled == 2)
        later = time.time() + 10**6
        monkeypatch.setattr(time, "time", lambda: later)
        end_spans(tracer, "c")
        until(lambda: tracer.stats().spooled == 3)
        server.gate.set()
        assert balanced(tracer.flush()).delivered == 3


def failing_at_first(monkeypatch, where, name, times=3):
    """Have a method run out of memory the first times that it is called."""
    usual, left = getattr(where, name), [None] * times

    def method(*args):
        if left:
            left.pop()
            raise MemoryError
        return usual(*args)

    monkeypatch.setattr(where, name, method)
    return left


@pytest.mark.parametrize(("where", "name"), [(Spool, "append"), (Parcel, "items")])
def test_want_of_memory_ends_no_thread_and_loses_nothing(where, name, server, monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    monkeypatch.setattr(attempts, "_LAST_RETRY_S", 0.01)
    left = failing_at_first(monkeypatch, where, name)
    other = Server("http://test:2")
    with tracer_with(server, other) as tracer:
        end_spans(tracer, "a", "b")
        until(lambda: balanced(tracer.flush(timeout=0.1)).delivered == 2)
        assert not left
        end_spans(tracer, "c")
        assert balanced(tracer.flush()).delivered == 3
    assert set(server.names) == set(other.names) == {"a", "b", "c"}
    assert "MemoryError" in caplog.text


@pytest.mark.parametrize("timeout", [math.inf, 1e300])
def test_a_flush_may_wait_for_ever(timeout, server):
    tracer = tracer_with(server)
    end_spans(tracer, "a")
    assert tracer.flush(timeout).delivered == 1
    end_spans(tracer, "b")
    assert tracer.close(timeout).delivered == 2


def test_a_flush_for_no_number_of_seconds_does_not_wait(server):
    with tracer_with(server) as tracer:
        end_spans(tracer, "a")
        assert tracer.flush(math.nan).accepted == 1
    with pytest.raises(ConfigError):
        flush_on_sigterm(math.nan)
