"""What begins inside is below, whichever way asyncio, trio and anyio take there."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.from_thread
import anyio.to_thread
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
    trace,
    update_trace,
)


async def awaits(work):
    await anyio.lowlevel.checkpoint()
    work()


async def task(work):
    await asyncio.create_task(awaits(work))


async def task_group(work):
    async with asyncio.TaskGroup() as group:
        group.create_task(awaits(work))


async def gathered(work):
    await asyncio.gather(awaits(work), anyio.lowlevel.checkpoint())


async def shielded(work):
    await asyncio.shield(awaits(work))


async def timed(work):
    await asyncio.wait_for(awaits(work), 20)


async def to_thread(work):
    await asyncio.to_thread(work)


async def pool_with_a_copied_context(work):
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, contextvars.copy_context().run, work)


async def copying_pool(work):
    with copy_context_executor(ThreadPoolExecutor(1)) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, work)


def then_done(work, done):
    work()
    done.set()


async def call_soon(work):
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(then_done, work, done)
    await done.wait()


async def call_later(work):
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0, then_done, work, done)
    await done.wait()


async def call_soon_threadsafe(work):
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    await asyncio.to_thread(loop.call_soon_threadsafe, then_done, work, done)
    await done.wait()


async def done_callback_of_a_future(work):
    done, future = asyncio.Event(), asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: then_done(work, done))
    contextvars.Context().run(future.set_result, None)  # whoever says so
    await done.wait()


async def done_callback_of_a_task(work):
    done, other = asyncio.Event(), asyncio.create_task(anyio.lowlevel.checkpoint())
    other.add_done_callback(lambda _: then_done(work, done))
    await done.wait()


async def attached_in_a_bare_thread(work):
    def run(parent):
        with attach(parent):
            work()

    # A pool of asyncio has no context of its own.
    await asyncio.get_running_loop().run_in_executor(None, run, current_span())


async def anyio_task(work):
    async with anyio.create_task_group() as group:
        group.start_soon(awaits, work)


async def anyio_started(work):
    async def started(*, task_status):
        await awaits(work)
        task_status.started()

    async with anyio.create_task_group() as group:
        await group.start(started)


async def anyio_thread(work):
    await anyio.to_thread.run_sync(work)


async def anyio_thread_and_back(work):
    await anyio.to_thread.run_sync(anyio.from_thread.run, awaits, work)


async def anyio_thread_and_back_sync(work):
    await anyio.to_thread.run_sync(anyio.from_thread.run_sync, work)


async def trio_nursery(work):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(awaits, work)


async def trio_thread(work):
    await trio.to_thread.run_sync(work)


async def trio_thread_and_back(work):
    await trio.to_thread.run_sync(trio.from_thread.run, awaits, work)


async def trio_thread_and_back_sync(work):
    await trio.to_thread.run_sync(trio.from_thread.run_sync, work)


async def trio_system_task(work):
    done = trio.Event()

    async def run():
        await awaits(work)
        done.set()

    trio.lowlevel.spawn_system_task(run, context=contextvars.copy_context())
    await done.wait()


async def trio_attached_in_a_bare_thread(work):
    done, parent = trio.Event(), current_span()
    token = trio.lowlevel.current_trio_token()

    def run():
        with attach(parent):
            work()
        token.run_sync_soon(done.set)

    contextvars.Context().run(trio.lowlevel.start_thread_soon, run, lambda _: None)
    await done.wait()


ASYNCIO = [
    task,
    task_group,
    gathered,
    shielded,
    timed,
    to_thread,
    pool_with_a_copied_context,
    copying_pool,
    call_soon,
    call_later,
    call_soon_threadsafe,
    done_callback_of_a_future,
    done_callback_of_a_task,
    attached_in_a_bare_thread,
]
ANYIO = [
    anyio_task,
    anyio_started,
    anyio_thread,
    anyio_thread_and_back,
    anyio_thread_and_back_sync,
]
TRIO = [
    trio_nursery,
    trio_thread,
    trio_thread_and_back,
    trio_thread_and_back_sync,
    trio_system_task,
    trio_attached_in_a_bare_thread,
]
WAYS = [
    *[("asyncio", way) for way in (*ASYNCIO, *ANYIO)],
    *[("trio", way) for way in (*ANYIO, *TRIO)],
]


@trace(name="work")
def function():
    with span("inner"):
        pass


@trace(name="work")
def generator():
    yield current_span()
    with span("inner"):
        pass


def block():
    with span("work"), span("inner"):
        pass


def whole(generator):
    return lambda: list(generator())


@pytest.mark.parametrize("work", [block, function, whole(generator)], ids=["with", "def", "yield"])
@pytest.mark.parametrize(
    ("backend", "way"), WAYS, ids=lambda value: getattr(value, "__name__", value)
)
def test_it_is_below_the_span_around(backend, way, work, tracer):
    seen = []

    def look():
        seen.append(current_span())
        work()
        seen.append(current_span())
        update_trace(tags={"from": way.__name__})

    async def main():
        async with span("outer") as outer:
            await way(look)
            assert current_span() is outer
        assert current_span() is None
        assert last_trace_id() == outer.trace_id
        return outer

    with session("chat-7"):
        outer = anyio.run(main, backend=backend)
    assert seen == [outer, outer]
    inner, work_record, outer_record = tracer.finished()
    assert (inner.name, work_record.name, outer_record.name) == ("inner", "work", "outer")
    assert inner.parent_id == work_record.span_id
    assert work_record.parent_id == outer_record.span_id
    assert {one.trace_id for one in (inner, work_record)} == {outer.trace_id}
    assert outer_record.session == "chat-7"
    assert outer_record.tags == {"from": way.__name__}


async def test_a_callback_that_comes_when_the_span_has_ended(tracer):
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    with span("root") as root:
        with span("outer"):
            loop.call_soon(then_done, block, done)
        await done.wait()
    done.clear()
    with span("late"):
        loop.call_soon(then_done, block, done)
    await done.wait()
    works = [one.parent_id for one in tracer.finished() if one.name == "work"]
    assert works == [root.span_id, None]  # below what is open of what was


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_beside_each_other_are_traces_of_their_own(backend, tracer):
    async def work(name):
        with session(name):
            async with span(name) as one:
                await anyio.lowlevel.checkpoint()
                update_trace(user=name)
                await anyio.to_thread.run_sync(block)
            assert last_trace_id() == one.trace_id

    async def main():
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(work, f"task {number}")
        assert (current_span(), last_trace_id()) == (None, None)

    contextvars.Context().run(functools.partial(anyio.run, main, backend=backend))
    with tracer.span("end"):
        pass
    traces = {}
    for record in tracer.finished():
        traces.setdefault(record.trace_id, []).append(record)
    del traces[next(key for key, [one, *_] in traces.items() if one.name == "end")]
    assert len(traces) == 20
    for inner, work_record, root in traces.values():
        assert (inner.name, work_record.name) == ("inner", "work")
        assert {one.session for one in (inner, work_record, root)} == {root.name}
        assert {one.user for one in (inner, work_record, root)} == {root.name}


def steps_elsewhere(made, place):
    """Drive a generator to its end, each step in another place."""
    run = functools.partial(next, made, None)
    while place(run) is not None:
        pass


def in_a_thread(step):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(step).result(20)


PLACES = {
    "context": lambda step: contextvars.Context().run(step),
    "copy": lambda step: contextvars.copy_context().run(step),
    "thread": in_a_thread,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_generator_driven_from_elsewhere(place, tracer):
    with span("outer") as outer:
        steps_elsewhere(generator(), place)
        assert current_span() is outer
    inner, work_record, _ = tracer.finished()
    assert inner.parent_id == work_record.span_id
    assert work_record.parent_id == outer.span_id
