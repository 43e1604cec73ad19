"""`@trace` on functions and coroutines."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading

import anyio
import pytest

from ollamatrace import current_span, last_trace_id, span, trace


def only(tracer):
    [record] = tracer.finished()
    return record


def test_a_call_is_a_span(tracer):
    @trace(name="agent", kind="AGENT")
    def ask(q, n=2, *, deep=False):
        assert current_span().name == "agent"
        return [q, n, deep]

    assert ask("why?", deep=True) == ["why?", 2, True]
    assert current_span() is None
    record = only(tracer)
    assert (record.name, record.kind) == ("agent", "AGENT")
    assert list(record.inputs.items()) == [("q", "why?"), ("n", 2), ("deep", True)]
    assert record.outputs == ["why?", 2, True]
    assert (record.status, record.end_reason) == ("OK", "returned")
    assert record.attributes == {"code.function.name": f"{__name__}.{ask.__qualname__}"}
    assert last_trace_id() == record.trace_id


def test_names_and_kinds_unless_told(tracer):
    @trace
    def one():
        pass

    @trace()
    def two():
        pass

    one()
    two()
    made = [(record.name, record.kind) for record in tracer.finished()]
    assert made == [("one", "UNKNOWN"), ("two", "UNKNOWN")]


def test_inputs_are_taken_before_and_outputs_when_it_returns(tracer):
    @trace
    def extend(given):
        given.append(2)
        return given

    extend([1]).append(3)
    record = only(tracer)
    assert (record.inputs, record.outputs) == ({"given": [1]}, [1, 2])


def test_the_body_may_say_what_goes_in_and_out(tracer):
    @trace
    def work(secret):
        current_span().inputs = {"secret": "…"}
        current_span().outputs = "short"
        return "long"

    assert work("x") == "long"
    record = only(tracer)
    assert (record.inputs, record.outputs) == ({"secret": "…"}, "short")


def everything(a, b=1, /, c=2, *more, d, e=3, **rest):
    return a


def plain(a, b=1, *, c, d=2):
    return a


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (everything, (1,), {"d": 2}),
        (everything, (1, 2, 3, 4, 5), {"d": 6, "a": 7, "z": 8}),
        (plain, (1,), {"c": 3}),
        (plain, (), {"c": 3, "a": 1}),
        (plain, (1, 2), {"d": 3, "c": 4}),
        (functools.partial(plain, 5, c=6), (), {"d": 1}),
        (len, ("abc",), {}),
    ],
)
def test_arguments_have_the_names_of_parameters(function, args, kwargs, tracer):
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    assert trace(function)(*args, **kwargs) == function(*args, **kwargs)
    expected = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in bound.arguments.items()
    }
    record = only(tracer)
    assert list(record.inputs.items()) == list(expected.items())
    assert record.name == getattr(function, "__name__", "plain")


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"a": 1, "c": 2})]
)
def test_wrong_arguments_raise_what_they_would(args, kwargs, tracer):
    with pytest.raises(TypeError) as bare:
        plain(*args, **kwargs)
    with pytest.raises(TypeError) as traced:
        trace(plain)(*args, **kwargs)
    assert str(traced.value) == str(bare.value)
    record = only(tracer)
    assert record.inputs == {"args": list(args), "kwargs": kwargs}
    assert (record.status, record.end_reason) == ("ERROR", "error")


def test_a_function_without_a_signature(tracer):
    @trace
    def odd(*args, **kwargs):
        return args

    odd.__wrapped__.__signature__ = "none"
    inner = trace(odd.__wrapped__)
    assert inner(1, k=2) == (1,)
    assert only(tracer).inputs == {"args": [1], "kwargs": {"k": 2}}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_exceptions_are_noted_and_go_on(error, tracer):
    raised = error("bad")

    @trace
    def boom(x):
        raise raised

    with pytest.raises(error) as caught:
        boom(3)
    assert caught.value is raised
    assert raised.__context__ is None
    assert current_span() is None
    record = only(tracer)
    assert record.inputs == {"x": 3}
    if error is ValueError:
        assert (record.status, record.end_reason) == ("ERROR", "error")
        assert record.status_message == "ValueError: bad"
        assert record.events[0]["attributes"]["exception.message"] == "bad"
    else:
        assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_coroutines(backend, tracer):
    @trace
    async def inner(n):
        await anyio.lowlevel.checkpoint()
        return n

    @trace
    async def outer():
        async with anyio.create_task_group() as group:
            for n in range(3):
                group.start_soon(inner, n)
        return await inner(3)

    assert inspect.iscoroutinefunction(outer)
    assert anyio.run(outer, backend=backend) == 3
    *inners, top = tracer.finished()
    assert sorted(record.outputs for record in inners) == [0, 1, 2, 3]
    assert {record.parent_id for record in inners} == {top.span_id}
    assert {record.inputs["n"] for record in inners} == {0, 1, 2, 3}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_coroutine(backend, tracer):
    @trace
    async def forever():
        await anyio.sleep_forever()

    async def main():
        with anyio.move_on_after(0):
            await forever()
        assert current_span() is None

    anyio.run(main, backend=backend)
    assert (only(tracer).status, tracer.stats().accepted) == ("CANCELLED", 1)


def test_a_coroutine_begins_when_it_runs(tracer):
    @trace
    async def work():
        return 1

    coroutine = work()
    assert not tracer.pipeline.open
    coroutine.close()
    assert tracer.finished() == []
    with span("later") as later:
        asyncio.run(work())
    work_record, _ = tracer.finished()
    assert work_record.parent_id == later.span_id


class Waits:
    def __await__(self):
        yield self


def test_a_coroutine_that_is_dropped_touches_no_variable(tracer):
    @trace
    async def waits():
        await Waits()

    coroutine, context = waits(), contextvars.copy_context()
    context.run(coroutine.send, None)
    before = dict(context)
    context.run(coroutine.close)
    assert dict(context) == before
    assert context.run(current_span) is None
    record = only(tracer)
    assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")


def test_threads_and_recursion(tracer):
    @trace
    def down(n):
        return n if n == 0 else down(n - 1)

    threads = [threading.Thread(target=down, args=(5,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = tracer.finished()
    assert len(records) == 48
    assert sum(record.parent_id is None for record in records) == 8
    assert len({record.trace_id for record in records}) == 8
