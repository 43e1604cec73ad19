"""What is current in tasks, threads, generators and streams, here and in OpenTelemetry."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import ollama
import openai
import pytest
import trio
import trio.lowlevel
from opentelemetry import baggage, context
from opentelemetry import trace as otel_trace

from ollamatrace import (
    TracedClient,
    attach,
    copy_context_executor,
    current_span,
    span,
    trace,
)
from tests.exchanges import arguments
from tests.otel.current import (
    PROPAGATOR,
    ids,
    nothing_is_current,
    now,
    ours,
    work,
)


async def test_tasks(tracer, theirs):
    async def one(name):
        with theirs.span(f"theirs {name}"):
            await asyncio.sleep(0)
            with span(f"ours {name}"):
                await asyncio.sleep(0)

    with span("all") as whole:
        async with asyncio.TaskGroup() as group:
            for name in "xy":
                group.create_task(one(name))
    found, known = ours(tracer), theirs.parents()
    assert known["theirs x"] == known["theirs y"] == ids(whole)
    assert found["ours x"] != found["ours y"]
    assert found["ours x"][1] == whole.trace_id


async def test_a_task_that_outlives_its_span(tracer, theirs):
    go_on = asyncio.Event()

    async def late():
        await go_on.wait()
        assert nothing_is_current()
        with theirs.span("theirs late"):
            pass
        work("late")

    with span("a"):
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    go_on.set()
    await task
    assert theirs.parents()["theirs late"][0] is None
    assert ours(tracer)["late"][0] is None


def test_trio(tracer, theirs):
    async def one(name):
        with theirs.span(f"theirs {name}") as there:
            await trio.lowlevel.checkpoint()
            with span(name) as here:
                await trio.lowlevel.checkpoint()
                assert now() == ids(here)
            assert now() == ids(there)

    async def main():
        with span("all") as whole:
            async with trio.open_nursery() as nursery:
                for name in "xy":
                    nursery.start_soon(one, name)
        return whole

    whole = trio.run(main)
    known = theirs.parents()
    assert known["theirs x"] == known["theirs y"] == ids(whole)
    assert ours(tracer)["x"][1] == whole.trace_id


def test_threads(tracer, theirs):
    with span("a") as a, theirs.span("b") as b:
        with copy_context_executor(ThreadPoolExecutor(1)) as pool:
            pool.submit(work, "copied").result()
        there = context.get_current()

        def brought():
            context.attach(there)  # as instrumentation of threads does
            work("brought")

        def attached():
            with attach(a):
                assert now() == ids(a)
                work("attached")
            assert nothing_is_current()

        for run in (brought, attached):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
    with span("c") as c:
        there = context.get_current()
        thread = threading.Thread(target=brought)
        thread.start()
        thread.join()
    found = tracer.finished()
    parents = {one.name: one.parent_id for one in found[:-2]}
    assert parents["copied"] == parents["brought"] == ids(b)[0]
    assert parents["attached"] == a.span_id
    assert found[-2].parent_id == c.span_id


def test_attached_inside_of_theirs(tracer, theirs):
    with span("a") as a, theirs.span("b") as b:
        with attach(a):
            assert now() == ids(a)
            with attach(a), theirs.span("c"):
                pass
            assert now() == ids(a)
        assert otel_trace.get_current_span() is b
    assert theirs.parents()["c"] == ids(a)


@trace
def numbers(theirs):
    with theirs.span("in the body"):
        work("before")
        yield 1
        work("between")
        yield 2
    work("end")


def test_a_generator_is_current_only_in_its_body(tracer, theirs, caplog):
    with theirs.span("reader") as reader:
        made = numbers(theirs)
        for _ in made:
            assert otel_trace.get_current_span() is reader
            with theirs.span("of the reader"):
                pass
    found, known = ours(tracer), theirs.parents()
    assert known["of the reader"] == ids(reader)
    assert found["numbers"] == ids(reader)
    assert found["before"] == found["between"]
    assert known["in the body"] == (found["end"][0], ids(reader)[1])
    assert not caplog.records


def test_a_generator_sees_the_readers_context(tracer):
    @trace
    def reading():
        while True:
            yield baggage.get_baggage("who")

    made = reading()
    assert next(made) is None
    token = context.attach(baggage.set_baggage("who", "ada"))
    assert next(made) == "ada"
    context.detach(token)
    assert next(made) is None
    made.close()


def test_generators_driven_and_closed_elsewhere(tracer, theirs, caplog, recwarn):
    @trace
    def plain():
        with span("inner"):
            yield 1
            yield 2

    def untraced():
        with span("left open"):
            yield 1

    with span("outer") as outer:
        for make in (plain, untraced):
            made = make()
            contextvars.copy_context().run(next, made)
            assert now() == ids(outer)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(made.close).result()
            made = make()
            contextvars.copy_context().run(next, made)
            made.close()
            assert now() == ids(outer)
            made = make()
            next(made)
            contextvars.Context().run(made.close)
            del made
            gc.collect()
            assert current_span() is outer
            assert now() == ids(outer)
    assert not caplog.records
    assert not recwarn.list


async def test_async_generators_driven_and_closed_elsewhere(tracer, theirs, caplog, recwarn):
    @trace
    async def several():
        with span("inner"):
            yield now()
            yield now()

    async def step(made):
        return await anext(made)

    async def close(made):
        await made.aclose()

    with theirs.span("reader") as reader:
        made = several()
        first = await asyncio.create_task(step(made))
        assert first != ids(reader)
        assert await anext(made) == first
        assert otel_trace.get_current_span() is reader
        await asyncio.create_task(close(made), context=contextvars.Context())
        assert otel_trace.get_current_span() is reader
    assert ours(tracer)["several"] == ids(reader)
    assert not caplog.records
    assert not recwarn.list


@pytest.mark.parametrize("end", ["read", "closed", "dropped"])
def test_the_stream_of_a_client_is_not_current(replay, tracer, theirs, end):
    server, capture = replay("ollama-native/chat_stream")
    bare = ollama.Client(host=server.url)
    client = TracedClient(bare, tracer=tracer)
    with theirs.span("reader") as reader:
        stream = client.chat(**arguments(capture["exchanges"][0]))
        assert otel_trace.get_current_span() is reader
        next(stream)
        assert otel_trace.get_current_span() is reader
        if end == "read":
            list(stream)
        elif end == "closed":
            stream.close()
        del stream
        gc.collect()
        assert otel_trace.get_current_span() is reader
    bare._client.close()
    assert set(ours(tracer).values()) == {ids(reader)}


async def test_the_request_of_a_call_is_below_it(replay, tracer, theirs):
    server, capture = replay("ollama-v1/chat")

    async def instrumented(request):
        with theirs.span("POST"):
            PROPAGATOR.inject(request.headers)

    transport = httpx.AsyncClient(event_hooks={"request": [instrumented]})
    async with openai.AsyncOpenAI(
        base_url=server.url + "/v1", api_key="x", http_client=transport
    ) as bare:
        await TracedClient(bare, tracer=tracer).chat.completions.create(
            **arguments(capture["exchanges"][0])
        )
    assert nothing_is_current()
    [call] = tracer.finished()
    assert theirs.parents() == {"POST": (call.span_id, call.trace_id)}
