"""Spans of the user's own: nesting, ends, context."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import gc
import threading
import uuid

import pydantic.dataclasses
import pytest
import trio

from ollamatrace import Tracer, current_span, last_trace_id, session, span, sync
from ollamatrace.spans import Span
from ollamatrace.testing import MemoryTracer


def test_a_span_and_what_it_holds(tracer):
    with span("agent", kind="AGENT") as agent:
        given = {"question": "why?"}
        agent.inputs = given
        given["question"] = "changed"
        agent.set("attempt", 1)
        agent.set("odd", {2})
        agent.event("retry", {"after": 0.5})
        agent.outputs = ["because"]
        agent.outputs.append("of that")  # outputs are taken at the end
        assert agent.inputs == {"question": "why?"}
    [record] = tracer.finished()
    assert (record.name, record.kind) == ("agent", "AGENT")
    assert record.inputs == {"question": "why?"}
    assert record.outputs == ["because", "of that"]
    assert record.attributes == {"attempt": 1, "odd": [2]}
    [event] = record.events
    assert (event["name"], event["attributes"]) == ("retry", {"after": 0.5})
    assert record.start_ns <= event["time_ns"] <= record.end_ns
    assert (record.status, record.end_reason) == ("OK", "returned")
    assert record.trace_id == agent.trace_id == last_trace_id()
    assert (len(record.trace_id), len(record.span_id)) == (32, 16)


def test_nesting(tracer):
    with span("outer") as outer:
        assert current_span() is outer
        with span("inner") as inner:
            assert current_span() is inner
        assert current_span() is outer
    assert current_span() is None
    inner_record, outer_record = tracer.finished()
    assert inner_record.parent_id == outer.span_id == outer_record.span_id
    assert inner_record.trace_id == outer_record.trace_id
    assert outer_record.parent_id is None


def test_an_exception_is_noted_and_goes_on(tracer):
    error = KeyError("x")
    with pytest.raises(KeyError) as caught, span("a"):
        raise error
    assert caught.value is error
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("ERROR", "error")
    assert record.status_message == "KeyError: 'x'"
    [event] = record.events
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == "KeyError"
    stack = event["attributes"]["exception.stacktrace"]
    assert "raise error" in stack
    assert stack.endswith("KeyError: 'x'")


def test_causes_are_in_the_stack(tracer):
    def fail():
        try:
            int("first")
        except ValueError as error:
            raise RuntimeError("second") from error

    with pytest.raises(RuntimeError), span("a"):
        fail()
    [record] = tracer.finished()
    stack = record.events[0]["attributes"]["exception.stacktrace"]
    assert stack.index("ValueError: invalid") < stack.index("direct cause") < stack.index("second")


def test_an_exception_is_not_kept_alive(tracer):
    class NoticedError(Exception):
        pass

    tracer.pipeline.pump = lambda *_args, **_more: False  # the span stays in the queue
    with pytest.raises(NoticedError), span("a"):
        raise NoticedError
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is NoticedError]
    del tracer.pipeline.pump
    assert len(tracer.finished()) == 1


def test_an_exception_whose_text_fails(tracer):
    class HostileError(Exception):
        def __str__(self):
            raise ValueError

    with pytest.raises(HostileError), span("a"):
        raise HostileError
    [record] = tracer.finished()
    assert record.status_message == "HostileError: <str() raised ValueError>"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_cancellation_is_no_error(error, tracer):
    with pytest.raises(error), span("a"):
        raise error
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")
    assert not record.events


def test_trio_cancellation(tracer):
    async def main():
        with trio.move_on_after(0):
            async with span("a"):
                await trio.sleep_forever()

    trio.run(main)
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")


async def test_tasks_get_their_own_parents(tracer):
    async def work(name):
        async with span(name):
            await asyncio.sleep(0)
            async with span(name + " inside"):
                await asyncio.sleep(0)

    async with span("outer") as outer:
        await asyncio.gather(*(work(f"task {n}") for n in range(20)))
        assert current_span() is outer
    records = {record.name: record for record in tracer.finished()}
    for n in range(20):
        assert records[f"task {n}"].parent_id == outer.span_id
        assert records[f"task {n} inside"].parent_id == records[f"task {n}"].span_id


def test_another_thread_takes_a_parent_by_hand(tracer):
    def work(parent):
        assert current_span() is None
        with span("work", parent=parent), span("inside"):
            pass
        assert current_span() is None

    with span("outer") as outer:
        thread = threading.Thread(target=work, args=(outer,))
        thread.start()
        thread.join()
    inside, work_record, _ = tracer.finished()
    assert work_record.parent_id == outer.span_id
    assert inside.parent_id == work_record.span_id


def test_an_ended_span_is_never_current(tracer):
    copied = {}
    with span("outer") as outer:
        with span("inner"):
            copied["inner"] = contextvars.copy_context()
        assert copied["inner"].run(current_span) is outer
    assert copied["inner"].run(current_span) is None


def test_a_generator_closed_in_another_context(tracer):
    def produce():
        with span("generator"):
            yield 1
            yield 2

    made = produce()
    contextvars.copy_context().run(next, made)
    assert current_span() is None
    contextvars.copy_context().run(made.close)
    [record] = tracer.finished()
    assert record.end_reason == "cancelled"


def test_ends_once_whoever_comes_first(tracer):
    for _ in range(50):
        one = tracer.span("raced")
        one.begin()
        barrier = threading.Barrier(4)

        def end(one=one, barrier=barrier):
            barrier.wait()
            one.end()

        threads = [threading.Thread(target=end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(tracer.finished()) == 50


def test_a_parent_of_another_tracer_is_a_link(tracer):
    with MemoryTracer() as other:
        with tracer.span("here") as here, other.span("there"):
            pass
        [there] = other.finished()
    [record] = tracer.finished()
    assert there.parent_id is None
    assert there.trace_id != record.trace_id
    assert there.links == [{"trace_id": here.trace_id, "span_id": here.span_id}]


def test_session(tracer):
    with session("chat-7"):
        with span("a"), session("chat-8"), span("b"):
            pass
        with span("c"):
            pass
    with span("d"):
        pass
    sessions = {record.name: record.session for record in tracer.finished()}
    assert sessions == {"a": "chat-7", "b": "chat-8", "c": "chat-7", "d": None}


def test_the_address_of_its_page(tracer, monkeypatch):
    monkeypatch.setattr(tracer, "page", lambda trace_id: f"http://here/{trace_id}")
    one = tracer.span("a")
    assert one.url is None  # it has no trace yet
    with one:
        assert one.url == f"http://here/{one.trace_id}"
    assert one.url == f"http://here/{one.trace_id}"
    tracer.disable()
    with tracer.span("silent") as silent:
        assert silent.url is None


def test_a_destination_without_pages(tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer, tracer.span("a") as one:
        assert one.url is None


def test_a_disabled_tracer_records_nothing(tracer):
    tracer.disable()
    with span("silent") as silent:
        silent.inputs = 1
        silent.set("k", 1)
        silent.event("e")
        assert silent.inputs is None
        assert current_span() is None
    tracer.enable()
    with span("heard"):
        pass
    assert [record.name for record in tracer.finished()] == ["heard"]


ARGUMENTS = {
    "set": ("k", 1),
    "event": ("e",),
    "link": (("1" * 32, "2" * 16),),
    "fail": (ValueError("x"),),
    "warn": ("odd",),
}


@pytest.mark.parametrize("name", [name for name in dir(Span) if not name.startswith("_")])
def test_whatever_a_span_can_do_a_silent_one_takes(tracer, name):
    tracer.disable()
    silent = span("silent", kind="TOOL")
    found = getattr(silent, name)
    if name in {"finish", "note", "abandon"}:
        return  # of spans that have begun
    if callable(found):
        found(*ARGUMENTS.get(name, ()))
    with silent:
        silent.outputs = 1
    assert (silent.name, silent.kind, silent.span_id) == ("silent", "TOOL", "0" * 16)
    assert tracer.stats().accepted == 0


def test_disabled_by_the_environment(monkeypatch):
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    with Tracer("console:") as tracer:
        with tracer.span("silent"):
            pass
        assert tracer.stats().accepted == 0


def test_an_ended_span_does_not_change(tracer):
    with span("a") as ended:
        ended.inputs = "before"
    ended.inputs = "after"
    ended.set("late", 1)
    ended.event("late")
    ended.fail(ValueError("late"))
    [record] = tracer.finished()
    assert (record.inputs, record.attributes, record.events) == ("before", {}, [])
    assert (record.status, record.status_message) == ("OK", "")


def test_setting_in_one_thread_while_the_worker_reads(tracer):
    for _ in range(30):
        with span("a") as one:
            setting = threading.Thread(target=lambda: [one.set(str(n), n) for n in range(300)])
            setting.start()
        setting.join()
    assert len(tracer.finished()) == 30


class Kind(enum.Enum):
    AGENT = "AGENT"


@pytest.mark.parametrize("odd", [None, 5, Kind.AGENT, uuid.UUID(int=1), "\ud83d", b"x"])
def test_names_kinds_and_sessions_of_any_type_are_stored(odd, tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with session(odd), tracer.span(odd, kind=odd) as one:
            one.set(odd, 1)
            one.event(odd)
        report = tracer.flush()
        assert (report.delivered, report.dropped) == (1, 0)
        [trace] = sync.search_traces()
        assert trace.root.name == trace.root.kind
        assert trace.root.session == (None if odd is None else trace.root.name)
        assert trace.root.line()


class HostileMeta(type):
    def __getattr__(cls, name):
        raise RuntimeError

    def __hash__(cls):
        raise RuntimeError


class Hostile(metaclass=HostileMeta):
    def __getattribute__(self, name):
        raise RuntimeError


@pydantic.dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize("make", [Hostile, lambda: Point(1), lambda: Point])
def test_values_of_any_type_leave_the_program_alone(make, tracer):
    odd = make()
    with span("a") as one:
        one.inputs = odd
        one.set("k", odd)
        one.event("e", {"k": odd})
        one.outputs = {"k": [odd]}
    [record] = tracer.finished()
    assert record.inputs
    assert record.outputs["k"] == [record.inputs]
    record.line()


def test_a_collected_span_leaves_the_last_trace_alone(tracer):
    with span("a") as a:
        pass
    lost = tracer.span("b")
    lost.begin()
    lost.abandon()
    assert last_trace_id() == a.trace_id
    assert len(tracer.finished()) == 2


def test_a_span_is_entered_once(tracer, caplog):
    again = tracer.span("again")
    with again:
        with again:
            pass
        assert current_span() is None
    with again, tracer.span("inside"):
        pass
    assert [record.name for record in tracer.finished()] == ["again", "inside"]
    assert tracer.pipeline.open == {}
    assert [record.message for record in caplog.records] == [
        "a span is entered once; make one for each block: with span(…):"
    ]


def test_values_are_not_asked_whether_they_are_true(tracer):
    class Lazy:
        def __bool__(self):
            asked.append(self)  # a query, say
            return True

    asked = []
    with tracer.span("job") as job:
        job.inputs = {"lazy": Lazy()}
    assert asked == []


def test_the_top_of_a_long_chain_is_looked_for_once(tracer, monkeypatch):
    """Tasks that begin the next one inside of their own span make one that never ends."""
    steps = []
    above = Span.above
    monkeypatch.setattr(Span, "above", lambda span: steps.append(1) or above(span))
    with span("root") as root:
        last = root
        for number in range(500):
            with span(f"{number}", parent=last) as last:
                pass
            assert last.top() is root
    assert len(tracer.finished()) == 501
    assert len(steps) < 2000
