"""Blocks in which one tracer records nothing."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import ollama
import trio
import trio.lowlevel

from ollamatrace import TracedClient, current_span, last_trace_id, span, update_trace
from ollamatrace.testing import MemoryTracer
from tests.exchanges import arguments, load

CHAT = arguments(load("ollama-native/chat")["exchanges"][0])


def work(name="work"):
    with span(name) as one:
        return one


def names(tracer):
    return [record.name for record in tracer.finished()]


def test_nothing_is_recorded_inside(tracer):
    before = last_trace_id()
    with tracer.suppressed():
        silent = work()
        assert not int(silent.trace_id, 16)
        with span("deep"):
            work("deeper")
    assert last_trace_id() == before
    work("after")
    assert names(tracer) == ["after"]


def test_calls_of_clients(tracer, replay):
    server, _ = replay("ollama-native/chat")
    bare = ollama.Client(host=server.url)
    with bare._client:
        client = TracedClient(bare)
        with tracer.suppressed():
            client.chat(**CHAT)
        assert names(tracer) == []
        client.chat(**CHAT)
    assert len(names(tracer)) == 1


def test_nested(tracer):
    with tracer.suppressed():
        with tracer.suppressed():
            work()
        work()
    work("after")
    assert names(tracer) == ["after"]


def test_a_span_around_goes_on(tracer):
    with span("outer") as outer:
        with tracer.suppressed():
            work()
            assert current_span() is outer
            outer.set("key", "value")
        work("after")
    after, outer_record = tracer.finished()
    assert after.parent_id == outer.span_id
    assert outer_record.attributes == {"key": "value"}


def test_another_tracer_goes_on(tracer):
    with MemoryTracer() as other:
        with tracer.suppressed(), tracer.span("a"), other.span("b"):
            pass
        assert (names(tracer), names(other)) == ([], ["b"])
        with other.suppressed(), tracer.suppressed(), tracer.span("a"), other.span("b"):
            pass
        assert (names(tracer), names(other)) == ([], [])


def test_other_tasks_and_threads_are_not_concerned_but_those_made_inside_are(tracer):
    async def main():
        ready, go_on = asyncio.Event(), asyncio.Event()

        async def beside():
            ready.set()
            await go_on.wait()
            work("beside")

        async def inside():
            await asyncio.sleep(0)
            work("inside")

        task = asyncio.create_task(beside())
        await ready.wait()
        with tracer.suppressed():
            later = asyncio.create_task(inside())
            go_on.set()
            await task
            thread = threading.Thread(target=work, args=("thread",))
            thread.start()
            thread.join()
        await later  # it goes on as it began

    asyncio.run(main())
    assert names(tracer) == ["beside", "thread"]


def test_tasks_of_trio(tracer):
    async def inside():
        await trio.lowlevel.checkpoint()
        work("inside")

    async def main():
        async with trio.open_nursery() as nursery:
            with tracer.suppressed():
                nursery.start_soon(inside)  # in the context of who starts it
                work()
            work("after")

    trio.run(main)
    assert names(tracer) == ["after"]


def test_a_generator_closed_in_another_context_leaves_nothing_behind(tracer):
    def produce():
        with tracer.suppressed():
            yield work()

    made = produce()
    next(made)
    contextvars.Context().run(made.close)
    work("after")
    assert names(tracer) == ["after"]


def test_nothing_is_said_about_the_trace_before(tracer, caplog):
    work("before")
    with tracer.suppressed():
        work()
        update_trace(name="renamed")
    assert names(tracer) == ["before"]
    assert not caplog.records


def test_traced_functions_are_not_recorded(tracer):
    @tracer.trace
    def work():
        return 1

    @tracer.trace
    def items():
        yield 1

    with tracer.suppressed():
        assert work() == 1
        assert list(items()) == [1]
    assert tracer.finished() == []
    work()
    assert len(tracer.finished()) == 1


def test_the_same_block_inside_of_itself(tracer):
    quiet = tracer.suppressed()
    with quiet:
        with quiet:
            work()
        work()
        with MemoryTracer() as other:
            with other.span("of the other"):
                pass
            assert names(other) == ["of the other"]
    work("after")
    assert names(tracer) == ["after"]


def test_the_same_block_in_two_contexts(tracer):
    quiet = tracer.suppressed()
    here, there = contextvars.copy_context(), contextvars.copy_context()
    here.run(quiet.__enter__)
    there.run(quiet.__enter__)
    here.run(quiet.__exit__, None, None, None)
    here.run(work, "here")
    there.run(work, "there")
    there.run(quiet.__exit__, None, None, None)
    there.run(work, "there at last")
    assert names(tracer) == ["here", "there at last"]
