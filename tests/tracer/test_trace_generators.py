"""`@trace` on generator functions, sync and async: items, and what is current when."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import weakref

import anyio
import pytest

from ollamatrace import current_span, span, trace
from ollamatrace.spans import function


def only(tracer):
    [record] = tracer.finished()
    return record


@trace
def count(n, seen=None):
    yield from range(n)


@trace
def echo():
    """Sends back what comes in."""
    got = None
    while got != "end":
        try:
            got = yield got
        except KeyError as error:
            got = error
    return "done"


@trace
async def acount(n):
    for i in range(n):
        await anyio.lowlevel.checkpoint()
        yield i


@trace
async def aecho():
    got = None
    while got != "end":
        try:
            got = yield got
        except KeyError as error:
            got = error


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    return functools.partial(anyio.run, backend=request.param)


def test_items_are_the_output(tracer):
    assert list(count(3)) == [0, 1, 2]
    record = only(tracer)
    assert (record.name, record.inputs) == ("count", {"n": 3, "seen": None})
    assert record.outputs == [0, 1, 2]
    assert (record.status, record.end_reason) == ("OK", "exhausted")
    assert list(count(0)) == []
    assert only(tracer).outputs == []


def test_it_is_a_generator_function_of_its_kind():
    for traced, check in ((echo, inspect.isgeneratorfunction), (aecho, inspect.isasyncgenfunction)):
        assert check(traced)
        assert traced.__name__ == traced.__code__.co_name
        assert inspect.signature(traced) == inspect.signature(traced.__wrapped__)
        assert repr(traced) == repr(traced.__wrapped__)
        assert functools.partial(traced).func is traced
    assert echo.__doc__ == "Sends back what comes in."
    assert inspect.isgenerator(made := echo())
    assert inspect.isasyncgen(aecho())
    assert made.__qualname__ == "echo"


def test_wrong_arguments_raise_at_the_call(tracer):
    with pytest.raises(TypeError, match=r"count\(\) got an unexpected keyword argument 'x'"):
        count(x=1)
    assert tracer.finished() == []


def test_send_throw_return_and_yield_from(tracer):
    def around():
        return (yield from echo())

    made, error = around(), KeyError("k")
    assert next(made) is None
    assert made.send("a") == "a"
    assert made.throw(error) is error
    with pytest.raises(StopIteration) as stop:
        made.send("end")
    assert stop.value.value == "done"
    record = only(tracer)
    assert record.outputs[:2] == [None, "a"]
    assert record.attributes["return_value"] == "done"
    assert record.end_reason == "exhausted"


def test_send_and_throw_async(run, tracer):
    async def main():
        made, error = aecho(), KeyError("k")
        assert await made.asend(None) is None
        assert await made.asend("a") == "a"
        assert await made.athrow(error) is error
        with pytest.raises(StopAsyncIteration):
            await made.asend("end")

    run(main)
    assert only(tracer).end_reason == "exhausted"


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_exceptions_go_through_unchanged(error, tracer):
    made = echo()
    next(made)
    with pytest.raises(type(error)) as caught:
        made.throw(error)
    assert caught.value is error
    assert error.__context__ is None
    assert current_span() is None
    record = only(tracer)
    assert record.outputs == [None]
    assert record.end_reason == ("error" if isinstance(error, ValueError) else "cancelled")


def test_an_exception_is_not_kept_alive(tracer):
    class NoticedError(Exception):
        pass

    gc.disable()
    try:
        made, error = echo(), NoticedError()
        gone = weakref.ref(error)
        next(made)
        with contextlib.suppress(NoticedError):
            made.throw(error)
        del error
        assert gone() is None
    finally:
        gc.enable()


def test_inside_it_is_current_and_outside_it_is_not(tracer):
    @trace
    def body():
        for _ in range(2):
            with span("own"):  # open across a yield
                yield current_span()
                with span("inner"):
                    pass
        yield current_span()

    with span("outer") as outer:
        made = body()
        seen = []
        for one in made:
            assert current_span() is outer
            with span("consumer"):
                pass
            seen.append(one.name)
    assert seen == ["own", "own", "body"]
    records = tracer.finished()
    by_id = {record.span_id: record.name for record in records}
    above = {(record.name, by_id.get(record.parent_id)) for record in records}
    assert above == {
        ("inner", "own"),
        ("own", "body"),
        ("body", "outer"),
        ("consumer", "outer"),
        ("outer", None),
    }


def test_inside_and_outside_async(run, tracer):
    @trace
    async def body():
        async with span("own"):
            await anyio.lowlevel.checkpoint()
            yield current_span().name
        yield current_span().name

    async def main():
        async with span("outer") as outer:
            seen = []
            async for name in body():
                assert current_span() is outer
                seen.append(name)
            return seen

    assert run(main) == ["own", "body"]
    own, body_record, outer = tracer.finished()
    assert (own.parent_id, body_record.parent_id) == (body_record.span_id, outer.span_id)


def test_it_is_below_where_it_was_called_if_nothing_is_current_later(tracer):
    with span("request") as request:
        made = count(1)
    assert list(made) == [0]
    with span("request"):
        made = count(1)
    with span("reader") as reader:
        assert list(made) == [0]
    parents = [record.parent_id for record in tracer.finished() if record.name == "count"]
    assert parents == [request.span_id, reader.span_id]


def test_items_are_kept_as_they_were(tracer):
    @trace
    def grows():
        given = []
        for i in range(3):
            given.append(i)
            yield given

    list(grows())
    assert only(tracer).outputs == [[0], [0, 1], [0, 1, 2]]


def test_items_are_bounded(tracer, monkeypatch):
    monkeypatch.setattr(function, "MOST_ITEMS", 10)
    assert len(list(count(25))) == 25
    record = only(tracer)
    assert record.outputs == list(range(10))
    assert record.warnings == ["outputs: the first 10 of 25 items"]
    monkeypatch.setattr(function, "MOST_BYTES", 100)

    @trace
    def big():
        for _ in range(5):
            yield "x" * 90

    list(big())
    assert only(tracer).warnings == ["outputs: the first 1 of 5 items"]


def test_items_of_any_type(tracer):
    @trace
    def odd():
        for _ in range(2):
            yield {1, "a" * 70_000}
            yield iter([1])

    assert {type(item) for item in odd()} == {set, type(iter([]))}
    record = only(tracer)
    assert len(record.outputs) == 4
    assert len(record.warnings) == len(set(record.warnings))


def test_the_body_may_say_its_output(tracer):
    @trace
    def body():
        yield "a"
        current_span().outputs = "all"

    assert list(body()) == ["a"]
    assert only(tracer).outputs == "all"
