"""How traced generators end, whoever drives and closes them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import sys
import threading
import warnings

import anyio
import pytest

from ollamatrace import current_span, span, trace
from ollamatrace.context import last_var, span_var


def only(tracer):
    [record] = tracer.finished()
    return record


@trace
def count(n, seen=None):
    yield from range(n)


@trace
async def acount(n):
    for i in range(n):
        await anyio.lowlevel.checkpoint()
        yield i


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    return functools.partial(anyio.run, backend=request.param)


def test_closed_with_what_had_come(tracer):
    made = count(5)
    next(made)
    next(made)
    made.close()
    made.close()
    record = only(tracer)
    assert (record.status, record.end_reason, record.outputs) == ("OK", "closed", [0, 1])


def test_closing_runs_the_body_below_the_span(tracer):
    @trace
    def body():
        try:
            yield 1
        finally:
            with span("cleanup"):
                pass

    made = body()
    next(made)
    made.close()
    cleanup, record = tracer.finished()
    assert cleanup.parent_id == record.span_id
    assert current_span() is None


def test_a_body_that_goes_on_after_close(tracer):
    @trace
    def stubborn():
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    made = stubborn()
    next(made)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        made.close()
    del made
    assert only(tracer).outputs == [1, 2]


def test_dropped(tracer):
    for _ in count(5):
        break
    record = only(tracer)
    assert (record.status, record.end_reason, record.outputs) == ("OK", "abandoned", [0])


def test_collected_touches_no_variable(tracer, monkeypatch):
    made = count(5)
    holder = [made]
    next(made)
    made.send(None)
    cycle = {"made": made}
    cycle["self"] = cycle
    before = (span_var.get(), last_var.get())
    del made, holder, cycle
    gc.collect()
    assert (span_var.get(), last_var.get()) == before
    assert only(tracer).end_reason == "abandoned"


@pytest.mark.parametrize("make", [count, acount])
def test_never_iterated(make, tracer):
    made = make(1)
    assert not tracer.pipeline.open
    del made
    gc.collect()
    assert tracer.finished() == []


def test_driven_by_threads_and_contexts(tracer, caplog):
    made, seen = count(4), []

    def step():
        seen.append(next(made))
        assert current_span() is None

    with span("here") as here:
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
        contextvars.copy_context().run(next, made)
        assert current_span() is here
        contextvars.Context().run(next, made)
    threading.Thread(target=made.close).start()
    contextvars.copy_context().run(made.close)
    assert not caplog.records
    count_record = next(one for one in tracer.finished() if one.name == "count")
    assert count_record.outputs == [0, 1, 2]
    assert current_span() is None


def test_driven_and_closed_by_other_tasks(run, tracer, caplog):
    async def main():
        made = acount(5)

        async def step():
            await anext(made)
            assert current_span() is None

        async def close():
            await made.aclose()

        for _ in range(2):
            async with anyio.create_task_group() as group:
                group.start_soon(step)
        async with anyio.create_task_group() as group:
            group.start_soon(close)
        assert current_span() is None

    run(main)
    record = only(tracer)
    assert (record.status, record.end_reason, record.outputs) == ("OK", "closed", [0, 1])
    assert not caplog.records


def test_cancelled_while_it_waits(run, tracer):
    @trace
    async def slow():
        yield 1
        await anyio.sleep_forever()

    async def main():
        with anyio.move_on_after(0.01):
            async for _ in slow():
                pass
        assert current_span() is None

    run(main)
    record = only(tracer)
    assert (record.status, record.outputs) == ("CANCELLED", [1])


def test_left_early_by_the_loop(run, tracer, caplog):
    cleaned = []

    @trace
    async def body():
        try:
            yield 1
            yield 2
        finally:
            await anyio.lowlevel.checkpoint()
            cleaned.append(1)

    async def main():
        async for _ in body():
            break
        gc.collect()
        await anyio.lowlevel.checkpoint()
        assert current_span() is None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # trio's, as without us
        run(main)
    record = only(tracer)
    assert (record.end_reason, record.outputs) == ("abandoned", [1])
    assert not caplog.records


def test_alive_when_the_loop_ends(tracer, caplog):
    kept, cleaned = [], []

    @trace
    async def body():
        try:
            yield 1
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            cleaned.append(1)

    async def main():
        for _ in range(8):
            kept.append(body())
            await anext(kept[-1])

    asyncio.run(main())
    assert len(cleaned) == 8
    assert not caplog.records
    assert {record.end_reason for record in tracer.finished()} == {"closed"}
    assert sys.get_asyncgen_hooks() == (None, None)


def test_a_step_that_is_dropped(tracer):
    class Waits:
        def __await__(self):
            yield

    @trace
    async def body():
        yield 1
        await Waits()

    async def read(made):
        async for _ in made:
            pass

    reading, context = read(body()), contextvars.copy_context()
    context.run(reading.send, None)
    before = dict(context)
    del reading
    gc.collect()
    assert dict(context) == before
    assert context.run(current_span) is None
    record = only(tracer)
    assert (record.end_reason, record.outputs) == ("abandoned", [1])
