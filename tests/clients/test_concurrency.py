"""A thousand calls at once: each record has its own parent, inputs and outputs."""

from __future__ import annotations

import asyncio
import collections
import contextvars
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from ollamatrace import TracedClient, current_span, span
from tests.clients.inprocess import KINDS, ask, echo, got, listed, make, step, text

CALLS = 1000
THREADS = 8
SYNC = ["OpenAI", "Client"]
ASYNC = ["AsyncOpenAI", "AsyncClient"]


@pytest.fixture
def client(request, tracer):
    return TracedClient(make(request.param, words=echo), tracer=tracer)


sync_clients = pytest.mark.parametrize("client", SYNC, indirect=True)
async_clients = pytest.mark.parametrize("client", ASYNC, indirect=True)
all_clients = pytest.mark.parametrize("client", KINDS, indirect=True)


def asking(number, **more):
    return {"model": "m", "messages": [{"role": "user", "content": f"{number}"}], **more}


def call(client, number):
    before = current_span()
    answer = ask(client)(**asking(number))
    assert text(answer) == f"you said {number}"
    assert current_span() is before


async def acall(client, number):
    before = current_span()
    answer = await ask(client)(**asking(number))
    assert text(answer) == f"you said {number}"
    assert current_span() is before


def said(record):
    outputs = record.outputs
    return text_of(outputs["choices"][0] if "choices" in outputs else outputs)


def text_of(holder):
    return holder["message"]["content"]


def number_of(record):
    return record.inputs["messages"][0]["content"]


def check(tracer, expected, *, above=1, separator=" "):
    """`expected`: the parent's span id of each call, by its number."""
    records = tracer.finished(timeout=20)
    calls = [record for record in records if record.inputs is not None]
    assert len(records) == len(calls) + above
    assert len({record.span_id for record in records}) == len(records)
    assert {number_of(record): record.parent_id for record in calls} == expected
    assert len(calls) == len(expected)
    for record in calls:
        assert said(record) == separator.join(["you", "said", number_of(record)])
        assert record.status == "OK"
    assert tracer.pipeline.open == {}
    return records


def all_below(agent):
    return {str(number): agent.span_id for number in range(CALLS)}


async def by_gather(client):
    await asyncio.gather(*(acall(client, number) for number in range(CALLS)))


async def by_task_group(client):
    async with asyncio.TaskGroup() as group:
        for number in range(CALLS):
            group.create_task(acall(client, number))


async def by_anyio(client):
    async with anyio.create_task_group() as group:
        for number in range(CALLS):
            group.start_soon(acall, client, number)


@async_clients
@pytest.mark.parametrize(
    ("backend", "way"),
    [
        ("asyncio", by_gather),
        ("asyncio", by_task_group),
        ("asyncio", by_anyio),
        ("trio", by_anyio),
    ],
    ids=["gather", "TaskGroup", "anyio", "trio"],
)
def test_a_thousand_tasks_below_one_span(backend, way, client, tracer):
    async def program():
        async with span("agent") as agent:
            await way(client)
            assert current_span() is agent
        assert current_span() is None
        return agent

    agent = anyio.run(program, backend=backend)
    records = check(tracer, all_below(agent))
    assert {record.trace_id for record in records} == {agent.trace_id}


@sync_clients
def test_a_pool_of_threads_with_copied_contexts(client, tracer):
    with ThreadPoolExecutor(THREADS) as pool, span("agent") as agent:
        waited = [
            pool.submit(contextvars.copy_context().run, call, client, number)
            for number in range(CALLS)
        ]
        for one in waited:
            one.result()
        assert current_span() is agent
    check(tracer, all_below(agent))


@sync_clients
def test_threads_that_are_given_their_parent(client, tracer):
    failures = []

    def work(agent, numbers):
        try:
            assert current_span() is None
            with span("work", parent=agent) as mine:
                for number in numbers:
                    call(client, number)
                expected.update(dict.fromkeys(map(str, numbers), mine.span_id))
            assert current_span() is None
        except BaseException as error:  # noqa: BLE001  told in the test's own thread
            failures.append(error)

    expected = {}
    with span("agent") as agent:
        threads = [
            threading.Thread(target=work, args=(agent, range(first, CALLS, THREADS)))
            for first in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    records = check(tracer, expected, above=THREADS + 1)
    works = [record for record in records if record.name == "work"]
    assert {record.parent_id for record in works} == {agent.span_id}


@all_clients
async def test_streams_in_turns_in_one_task(client, tracer):
    parents, streams = {}, collections.deque()
    for number in range(30):
        with span(f"agent {number}") as agent:
            parents[str(number)] = agent.span_id
            streams.append((number, [], await got(ask(client)(**asking(number, stream=True)))))
    while streams:
        number, seen, stream = streams.popleft()
        assert current_span() is None
        chunk = await step(stream, None)
        if chunk is None:
            assert "".join(seen) == f"yousaid{number}"
        else:
            seen.append(text_in(chunk))
            streams.append((number, seen, stream))
    check(tracer, parents, above=30, separator="")


def text_in(chunk):
    if hasattr(chunk, "choices"):
        return chunk.choices[0].delta.content or ""
    return chunk.message.content


@async_clients
async def test_streams_handed_from_task_to_task(client, tracer):
    async def begin(number):
        async with span("beginner") as beginner:
            stream = await ask(client)(**asking(number, stream=True))
            first = text_in(await anext(stream))
        return number, beginner.span_id, first, stream

    async def end(stream):
        async with span("reader") as reader:
            rest = "".join([text_in(chunk) for chunk in await listed(stream)])
            assert current_span() is reader
        return rest

    begun = await asyncio.gather(*(begin(number) for number in range(200)))
    rests = await asyncio.gather(*(end(stream) for *_, stream in begun))
    for (number, _, first, _), rest in zip(begun, rests, strict=True):
        assert first + rest == f"yousaid{number}"
    parents = {str(number): parent for number, parent, *_ in begun}
    check(tracer, parents, above=400, separator="")


@async_clients
def test_agents_with_tools_with_calls(client, tracer):
    expected, tools, agents = {}, {}, set()

    async def use_tool(number, above):
        async with span(f"tool {number}", kind="TOOL") as tool:
            tools[tool.span_id] = above.span_id
            expected[str(number)] = tool.span_id
            await acall(client, number)
            async with span("inner tool", kind="TOOL") as inner:
                tools[inner.span_id] = tool.span_id
                expected[f"{number}i"] = inner.span_id
                await acall(client, f"{number}i")
            assert current_span() is tool

    async def run_agent(number):
        async with span(f"agent {number}", kind="AGENT") as agent:
            agents.add(agent.span_id)
            async with anyio.create_task_group() as group:
                for tool in range(5):
                    group.start_soon(use_tool, number * 10 + tool, agent)
            expected[f"{number}a"] = agent.span_id
            await acall(client, f"{number}a")

    async def program():
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(run_agent, number)

    anyio.run(program, backend="trio")
    records = check(tracer, expected, above=len(tools) + len(agents))
    by_id = {record.span_id: record for record in records}
    for record in records:
        if record.span_id in tools:
            assert record.parent_id == tools[record.span_id]
        elif record.span_id in agents:
            assert record.parent_id is None
        if record.parent_id is not None:
            above = by_id[record.parent_id]
            assert record.trace_id == above.trace_id
    assert len({record.trace_id for record in records}) == len(agents) == 20


@all_clients
async def test_a_clock_that_is_set_back_leaves_a_call_inside_of_its_parent(
    client, tracer, monkeypatch
):
    now, looks = time.time_ns(), itertools.count()
    monkeypatch.setattr(time, "time_ns", lambda: now - next(looks) * 1_000_000_000)
    with span("agent"):
        await got(ask(client)(**asking(1)))
    inner, outer = tracer.finished()
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns
