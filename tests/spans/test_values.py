"""Any kind, and any value at any place of a span: readable, cut by leaf, and never an error."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import pathlib
from concurrent.futures import ThreadPoolExecutor

import anyio
import numpy as np
import pydantic
import pytest

from ollamatrace import Capture, Tracer, current_span, span, sync, trace
from ollamatrace.testing import MemoryTracer

KINDS = (  # of MLflow, and of OpenInference
    *("LLM", "CHAIN", "AGENT", "TOOL", "CHAT_MODEL", "RETRIEVER", "PARSER", "EMBEDDING"),
    *("RERANKER", "MEMORY", "WORKFLOW", "TASK", "GUARDRAIL", "EVALUATOR", "UNKNOWN", "PROMPT"),
)
LEAF = 1000


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind, tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:

        @trace(kind=kind)
        def function():
            list(generator())

        @tracer.trace(kind=kind)
        def generator():
            with tracer.span("inner", kind=kind):
                yield 1

        with span("outer", kind):
            function()
        [found] = sync.search_traces()
    assert [one.name for one in found.spans] == ["outer", "function", "generator", "inner"]
    assert {one.kind for one in found.spans} == {kind}


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int
    y: object


class Model(pydantic.BaseModel):
    text: str
    at: dt.datetime


class Hostile:
    def __repr__(self):
        raise RuntimeError

    __str__ = __hash__ = __repr__


class HostileText(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError


CYCLE: list[object] = [1]
CYCLE.append(CYCLE)
NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
VALUES = {
    "dataclass": (Point(1, {"a": (2,)}), {"x": 1, "y": {"a": [2]}}),
    "model": (Model(text="x", at=NOON), {"text": "x", "at": "2026-01-02T12:00:00+00:00"}),
    "models": ([Point(1, Model(text="x", at=NOON))], None),
    "array": (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
    "array of floats": (np.array([0.5, np.nan, np.inf]), [0.5, None, None]),
    "array of texts": (np.array(["a", "b"]), ["a", "b"]),
    "array of objects": (np.array([Colour.RED, {1}], dtype=object), ["red", [1]]),
    "array of dates": (np.array(["2026-01-02"], dtype="datetime64[D]"), ["2026-01-02"]),
    "array of one": (np.array(5), 5),
    "structured array": (np.array([(1, 2.5)], dtype=[("a", int), ("b", float)]), [[1, 2.5]]),
    "huge array": (np.zeros(10**7), None),
    "int64": (np.int64(5), 5),
    "uint64": (np.uint64(2**64 - 1), 2**64 - 1),
    "float32": ({"score": np.float32(0.5)}, {"score": 0.5}),
    "float64": ([np.float64(0.5)], [0.5]),
    "numpy's bool": ([np.bool_(True)], [True]),
    "complex128": (np.complex128(1 + 2j), "(1+2j)"),
    "bytes": (b"\x00\xff", "AP8="),
    "bytearray": ({"b": bytearray(b"\x00\xff")}, {"b": "AP8="}),
    "path": (pathlib.PurePosixPath("/a/b"), "/a/b"),
    "paths": ({pathlib.PurePosixPath("/a"): 1}, {"/a": 1}),
    "set": ({"a"}, ["a"]),
    "frozenset": ({"s": frozenset({1})}, {"s": [1]}),
    "cycle": (CYCLE, [1, "<cycle>"]),
    "long text": ({"short": 1, "long": "x" * 5000}, {"short": 1, "long": "x" * LEAF + "…"}),
    "long bytes": ([b"\x00" * 5000, 2], None),
    "enum": (Colour.RED, "red"),
    "enum of integers": ({"level": Level.LOW}, {"level": 1}),
    "key of an enum": ({Colour.RED: 1}, {"Colour.RED": 1}),
    "datetime": (NOON, "2026-01-02T12:00:00+00:00"),
    "date and time": ([NOON.date(), NOON.time()], ["2026-01-02", "12:00:00"]),
    "duration": (dt.timedelta(seconds=5), "datetime.timedelta(seconds=5)"),
    "lone surrogate": ({"\ud83d": ["\ud83d"]}, {"\\ud83d": ["\\ud83d"]}),
    "whose repr raises": ({"good": 1, "bad": Hostile()}, {"good": 1, "bad": "<Hostile>"}),
    "key whose str raises": ({dt.UTC: 1, HostileText("k"): 2}, None),
    "text whose str raises": ([HostileText("text"), 1], None),
    "huge integer": (10**400, None),
    "exception": (ValueError("bad"), "ValueError: bad"),
    "class": (Point, f"{__name__}.Point"),
    "generator": (iter([1]), None),
}


def everywhere(value):
    """Put `value` at each place of a span."""

    @trace
    def function(argument):
        current_span().set("attribute", argument)
        current_span().event("event", {"value": argument})
        return argument

    @trace
    def generator(argument):
        yield argument

    assert function(value) is value
    assert next(generator(value)) is value
    with span("block") as block:
        block.inputs = block.outputs = value


def here(function):
    function()


def in_a_thread(function):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(function).result(20)


def in_a_task(backend, function):
    async def run():
        function()

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(run)

    anyio.run(main, backend=backend)


PLACES = {
    "here": here,
    "thread": in_a_thread,
    "asyncio": functools.partial(in_a_task, "asyncio"),
    "trio": functools.partial(in_a_task, "trio"),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("value", "expected"), VALUES.values(), ids=VALUES)
def test_values(value, expected, place):
    with MemoryTracer(capture=Capture(max_leaf_bytes=LEAF)) as tracer:
        place(functools.partial(everywhere, value))
        records = {record.name: record for record in tracer.finished()}
    function, generator, block = (records[name] for name in ("function", "generator", "block"))
    found = [
        function.inputs["argument"],
        function.outputs,
        function.attributes["attribute"],
        function.events[0]["attributes"]["value"],
        generator.inputs["argument"],
        generator.outputs[0],
        block.inputs,
        block.outputs,
    ]
    assert all(one == found[0] for one in found)
    assert found[0] is not None
    assert expected is None or found[0] == expected
    for record in records.values():
        assert record.status in {"OK", "CANCELLED"}
        assert len(record.line()) < 50_000


@pytest.mark.parametrize("name", VALUES)
def test_values_are_stored(name, tmp_path):
    value, expected = VALUES[name]
    with Tracer(f"sqlite:///{tmp_path}/x.db", capture=Capture(max_leaf_bytes=LEAF)) as tracer:
        with tracer.span("a") as one:
            one.inputs = one.outputs = value
            one.set("key", value)
        assert tracer.flush().delivered == 1
        [found] = sync.search_traces()
    assert found.root.inputs == found.root.outputs == found.root.attributes["key"]
    assert expected is None or found.root.inputs == expected


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("x" * 5000, "a text of 5,000 characters was cut to 1,000"),
        (b"x" * 5000, "a text of 5,000 bytes was cut to 1,000"),
        (CYCLE, "a cycle was cut"),
        (Hostile(), "a value of type Hostile could not be read (RuntimeError)"),
    ],
    ids=["text", "bytes", "cycle", "hostile"],
)
def test_what_is_cut_is_told(value, told):
    with MemoryTracer(capture=Capture(max_leaf_bytes=LEAF)) as tracer:
        with tracer.span("a") as one:
            one.outputs = {"value": value}
        [record] = tracer.finished()
    assert record.warnings == [told]


@pytest.mark.parametrize("text", [Hostile(), HostileText("x")], ids=["object", "text"])
def test_names_of_any_type(text, tracer):
    with tracer.span(text, kind=text) as one:
        one.set(text, 1)
        one.event(text)
    tracer.trace(name=text, kind=text)(lambda: 1)()
    for record in tracer.finished():
        assert record.name == record.kind
        assert record.line()
