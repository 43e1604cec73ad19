"""What is current where: attached spans, and executors that bring the context along."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
import trio
import trio.lowlevel

from ollamatrace import (
    attach,
    copy_context_executor,
    current_span,
    last_trace_id,
    session,
    span,
    update_trace,
)
from ollamatrace.spans import SilentSpan


def in_thread(function, *args):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(function, *args).result(20)


def work(name="work"):
    with span(name):
        return current_span().trace_id


def parents(tracer):
    return {record.name: record.parent_id for record in tracer.finished()}


def test_attached_in_a_thread(tracer):
    def run(parent):
        with attach(parent):
            assert current_span() is parent
            work()
            update_trace(tags={"from": "thread"})
        assert current_span() is None
        assert last_trace_id() == parent.trace_id
        work("after")

    with span("outer") as outer:
        in_thread(run, outer)
        assert not outer.ended
    records = {record.name: record for record in tracer.finished()}
    assert records["work"].parent_id == outer.span_id
    assert records["after"].parent_id is None
    assert records["outer"].tags == {"from": "thread"}


def test_what_was_current_is_put_back(tracer):
    with span("a") as a:
        with span("b") as b:
            with attach(a):
                assert current_span() is a
                with attach(b), attach(b):
                    assert current_span() is b
                assert current_span() is a
            assert current_span() is b
        with pytest.raises(KeyError), attach(a):
            raise KeyError
        assert current_span() is a


def test_an_ended_span_is_not_attached(tracer):
    with span("old") as old:
        pass
    never_begun = span("later")
    with span("outer") as outer:
        for nothing in (old, never_begun, SilentSpan("silent", "TOOL"), None):
            with attach(nothing):
                assert current_span() is outer
            assert current_span() is outer


def test_a_span_that_ends_while_it_is_attached(tracer):
    here = span("here")

    def run():
        with attach(here):
            here.__exit__(None, None, None)
            assert current_span() is outer  # the one above, which is open
            work()
        assert current_span() is None

    with span("outer") as outer:
        here.__enter__()
        in_thread(run)
        assert current_span() is outer
    assert parents(tracer)["work"] == outer.span_id


def test_attached_in_a_generator_that_is_closed_elsewhere(tracer, caplog):
    def produce(parent):
        with attach(parent):
            work("first")
            yield 1
            yield 2

    with span("outer") as outer:
        made = produce(outer)
        contextvars.Context().run(next, made)
        in_thread(made.close)
        with span("other") as other:
            made = produce(outer)
            contextvars.copy_context().run(next, made)
            assert current_span() is other
            made.close()
            assert current_span() is other
            made = produce(outer)
            contextvars.Context().run(next, made)
            made.close()
            assert current_span() is other
    assert parents(tracer)["first"] == outer.span_id
    assert not caplog.records


async def step_of(agen):
    return await anext(agen)


async def agenerator(parent):
    with attach(parent):
        work("first")
        yield 1


def test_attached_in_tasks_of_both_loops(tracer):
    async def asyncio_main():
        agen = agenerator(outer)
        context = contextvars.Context()
        await asyncio.get_running_loop().create_task(step_of(agen), context=context)
        await asyncio.get_running_loop().create_task(agen.aclose(), context=contextvars.Context())
        assert current_span() is None

    async def trio_task():
        with attach(outer):
            await trio.lowlevel.checkpoint()
            work("trio")
        assert current_span() is None

    async def trio_main():
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(trio_task)

    with span("outer") as outer:
        contextvars.Context().run(asyncio.run, asyncio_main())
        contextvars.Context().run(trio.run, trio_main)
    records = tracer.finished()
    assert [one.name for one in records] == ["first", "trio", "trio", "outer"]
    assert {one.parent_id for one in records[:3]} == {outer.span_id}


def test_the_context_goes_along_to_a_pool(tracer):
    with ThreadPoolExecutor(2) as pool:
        copying = copy_context_executor(pool)
        assert isinstance(copying, Executor)
        assert copy_context_executor(copying) is copying
        with span("a") as a, session("chat-7"):
            first = copying.submit(work, "submitted")
            assert list(copying.map(work, ["m1", "m2", "m3"], timeout=20)) == [a.trace_id] * 3
        with span("b") as b:
            assert copying.submit(work, name="b1").result() == b.trace_id
        assert first.result() == a.trace_id
        assert copying.submit(current_span).result() is None
        assert pool.submit(current_span).result() is None
    records = {record.name: record for record in tracer.finished()}
    for name in ("submitted", "m1", "m2", "m3"):
        assert (records[name].parent_id, records[name].session) == (a.span_id, "chat-7")
    assert records["b1"].parent_id == b.span_id


def test_tasks_of_a_pool_do_not_share_a_context(tracer):
    barrier = threading.Barrier(2)

    def run(name):
        with span(name) as one:
            barrier.wait(20)  # both are in there at the same time
            assert current_span() is one
            barrier.wait(20)

    with span("outer") as outer, copy_context_executor(ThreadPoolExecutor(2)) as pool:
        list(pool.map(run, ["x", "y"]))
        assert current_span() is outer
    found = parents(tracer)
    assert found["x"] == found["y"] == outer.span_id


async def test_a_pool_of_an_event_loop(tracer):
    with copy_context_executor(ThreadPoolExecutor(1)) as pool, span("outer") as outer:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(pool, work, "in pool") == outer.trace_id
    assert parents(tracer)["in pool"] == outer.span_id


def test_a_pool_is_shut_down_as_usual(tracer):
    inner = ThreadPoolExecutor(1)
    go_on = threading.Event()
    pool = copy_context_executor(inner)
    running, waiting = pool.submit(go_on.wait, 20), pool.submit(work)
    pool.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert running.result()
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="after shutdown"):
        inner.submit(work)
    with pytest.raises(ZeroDivisionError), copy_context_executor(ThreadPoolExecutor(1)) as pool:
        pool.submit(lambda: 1 / 0).result()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(work)


def test_what_is_no_pool_of_threads():
    with (
        ProcessPoolExecutor(1) as processes,
        pytest.raises(TypeError, match=r"pickled.*inject\(\)"),
    ):
        copy_context_executor(processes)
    with pytest.raises(TypeError, match=r"concurrent\.futures\.Executor"):
        copy_context_executor(threading)


def sessions(tracer):
    return {record.name: record.session for record in tracer.finished()}


def test_a_session_in_its_own_block(tracer):
    chat = session("chat")
    with chat, chat:
        work("inside")
    work("after")
    assert sessions(tracer) == {"inside": "chat", "after": None}


def test_a_session_in_a_generator_that_is_closed_elsewhere(tracer):
    def steps():
        with session("of the generator"):
            yield

    generator = steps()
    contextvars.copy_context().run(next, generator)
    with session("here"):
        generator.close()
        work("here")
    assert sessions(tracer) == {"here": "here"}


def test_no_session(tracer):
    with session("chat"), session(None):
        work("none")
    assert sessions(tracer) == {"none": None}
