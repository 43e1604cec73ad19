"""`@trace` on methods, objects and other decorators, and which tracer it uses."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import logging
import pickle
from unittest.mock import MagicMock, Mock

import pytest

from ollamatrace import current_span, guard, set_default, trace
from ollamatrace.testing import MemoryTracer
from ollamatrace.tracer import registry


@trace
def pickled_function():
    return 1


@trace
def pickled_generator():
    yield 1


class Things:
    @trace
    def method(self, x, y=1):
        return (self, x, y)

    @trace
    @classmethod
    def of_class_above(cls, x):  # noqa: ARG003
        return cls

    @classmethod
    @trace
    def of_class_below(cls, x):  # noqa: ARG003
        return cls

    @trace
    @staticmethod
    def static_above(x):
        return x

    @staticmethod
    @trace
    def static_below(x):
        return x

    @trace
    @property
    def prop_above(self):
        """A property."""
        return 1

    @prop_above.setter
    def prop_above(self, value):
        pass

    @property
    @trace
    def prop_below(self):
        return 1

    @trace
    @functools.cached_property
    def cached(self):
        return [1]

    @trace
    def generated(self, n):
        yield self
        yield n

    @trace
    @classmethod
    async def awaited(cls, n):
        return n

    @trace
    @classmethod
    async def streamed(cls, n):
        yield n

    def __call__(self, x):
        return x


def test_methods(tracer):
    things = Things()
    assert things.method(1) == (things, 1, 1)
    assert Things.method(things, 2) == (things, 2, 1)
    assert things.of_class_above(1) is Things.of_class_below(1) is Things
    assert things.static_above(1) == Things.static_below(1) == 1
    records = tracer.finished()
    assert [record.inputs for record in records] == [
        {"x": 1, "y": 1},
        {"x": 2, "y": 1},
        *[{"x": 1}] * 4,
    ]
    assert records[0].name == "method"
    assert records[0].attributes["code.function.name"] == f"{__name__}.Things.method"
    assert list(things.generated(1)) == [things, 1]
    assert asyncio.run(Things.awaited(2)) == 2
    assert [record.inputs for record in tracer.finished()] == [{"n": 1}, {"n": 2}]
    assert inspect.isgeneratorfunction(things.generated)
    assert inspect.ismethod(things.generated)
    assert inspect.iscoroutinefunction(Things.awaited)
    assert inspect.isasyncgenfunction(Things.streamed)
    assert str(inspect.signature(things.generated)) == "(n)"


def test_properties(tracer):
    things = Things()
    things.prop_above = 5
    assert things.prop_above == things.prop_below == 1
    assert things.cached is things.cached
    assert Things.prop_above.__doc__ == "A property."
    assert [record.name for record in tracer.finished()] == ["prop_above", "prop_below", "cached"]


def test_objects_that_can_be_called(tracer):
    class Asks:
        async def __call__(self, q):
            return q

    class Streams:
        def __call__(self, n):
            yield n

    assert trace(Things())(3) == 3
    assert asyncio.run(trace(Asks())("why?")) == "why?"
    assert list(trace(Streams())(1)) == [1]
    found = [(record.name, record.inputs, record.outputs) for record in tracer.finished()]
    assert found == [
        ("Things", {"x": 3}, 3),
        ("Asks", {"q": "why?"}, "why?"),
        ("Streams", {"n": 1}, [1]),
    ]


@pytest.mark.parametrize("wrong", [5, "name", Things])
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(TypeError, match=r"@trace\(name=…, kind=…\)"):
        trace(wrong)


def test_decorators_upon_each_other(tracer):
    @trace(name="outer")
    @contextlib.contextmanager
    def managed():
        yield 1

    @contextlib.contextmanager
    @trace(name="generator")
    def resource():
        yield 2

    @trace(name="second")
    @trace(name="first")
    @functools.lru_cache
    def cached(x):
        return x

    with managed() as one, resource() as two:
        assert (one, two) == (1, 2)
        assert current_span() is None
    cached(1)
    names = [record.name for record in tracer.finished()]
    assert names == ["outer", "generator", "first", "second"]


def test_looks_like_the_function():
    def bare(a: int, b: str = "x") -> int:
        """What it does."""
        return a

    traced = trace(bare)
    assert inspect.isfunction(traced)
    assert inspect.signature(traced) == inspect.signature(bare)
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        assert getattr(traced, name) == getattr(bare, name)
    assert traced.__wrapped__ is bare
    assert not inspect.iscoroutinefunction(traced)
    for function in (pickled_function, pickled_generator):
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301


def test_the_tracer_is_looked_up_at_each_call():
    calls = []

    @trace
    def work():
        calls.append(1)

    with MemoryTracer() as first, MemoryTracer() as second:
        set_default(first)
        work()
        set_default(second)
        work()
        with first.span("here"):
            work()
        assert [len(one.finished()) for one in (first, second)] == [3, 1]


def test_a_tracers_own(tracer):
    with MemoryTracer() as other:

        @other.trace(kind="TOOL")
        def tool():
            pass

        @other.trace
        def stream():
            yield 1

        with tracer.span("here") as here:
            tool()
            assert list(stream()) == [1]
        made = other.finished()
    assert [(one.name, one.kind, one.parent_id) for one in made] == [
        ("tool", "TOOL", None),
        ("stream", "UNKNOWN", None),
    ]
    assert all(one.links[0]["span_id"] == here.span_id for one in made)
    assert len(tracer.finished()) == 1


def kinds():
    @trace
    def function():
        return current_span()

    @trace
    async def coroutine():
        return current_span()

    @trace
    def generator():
        yield current_span()

    @trace
    async def stream():
        yield current_span()

    async def first():
        return [await coroutine(), *[item async for item in stream()]]

    return [function(), *generator(), *asyncio.run(first())]


def test_switched_off(tracer, monkeypatch):
    assert None not in kinds()
    tracer.finished()
    tracer.disable()
    assert kinds() == [None] * 4
    assert tracer.finished() == []
    tracer.close()
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    with MemoryTracer() as off:
        assert kinds() == [None] * 4
        assert off.stats().accepted == 0


def test_without_any_tracer(monkeypatch):
    monkeypatch.setattr(registry, "_from_environment", lambda: None)
    assert kinds() == [None] * 4


def test_a_failure_of_ours_changes_nothing(tracer, monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")

    def fail(*_args, **_more):
        raise RuntimeError

    for broken in ("begin", "leave", "end"):
        with monkeypatch.context() as patch:
            patch.setattr(f"ollamatrace.spans.span.Span.{broken}", fail)
            assert len(contextvars.Context().run(kinds)) == 4
        gc.collect()
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    guard._last_told.clear()


def test_what_an_object_can_do_besides_being_called(tracer):
    @trace
    @functools.lru_cache
    def cached(x):
        return x

    assert [cached(1), cached(1)] == [1, 1]
    assert cached.cache_info().hits == 1
    cached.cache_clear()
    assert cached.cache_info().currsize == 0
    assert len(tracer.finished()) == 2


@pytest.mark.parametrize("kind", [Mock, MagicMock])
def test_an_object_that_has_every_attribute(kind, tracer):
    assert trace(kind(return_value=3))(1) == 3
    [record] = tracer.finished()
    assert (record.name, record.inputs) == (kind.__name__, {"args": [1], "kwargs": {}})


def test_methods_of_types_written_in_c(tracer):
    assert trace(str.upper)("a") == "A"
    assert trace(",".join)(["a", "b"]) == "a,b"
    assert [record.name for record in tracer.finished()] == ["upper", "join"]
