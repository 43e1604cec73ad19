"""Any value becomes plain, once, without being changed, consumed or able to raise."""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import types
import uuid

import orjson
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollamatrace.records import answer_snapshot, plain, snapshot

LIMIT = 1000


def taken(value, **options):
    found = snapshot(value, LIMIT, **options)
    return orjson.loads(found) if isinstance(found, bytes) else found.content().value


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: object


class Model(pydantic.BaseModel):
    a: int = 1
    b: str | None = None


class Opaque:
    def __repr__(self):
        return "opaque"


class Hostile:
    def __repr__(self):
        raise RuntimeError


class Array:
    """Has the shape of numpy's arrays."""

    size = 2

    def tolist(self):
        return [1.0, 2.0]


CASES = [
    ({"a": [1, 2.5, True, None, "x"]}, {"a": [1, 2.5, True, None, "x"]}),
    (Point(1, {2}), {"x": 1, "y": [2]}),
    ({"m": Model()}, {"m": {"a": 1, "b": None}}),
    (Model(a=2), {"a": 2, "b": None}),
    ({1: "x", None: "y"}, {"1": "x", "None": "y"}),
    (b"\x00\xff", "AP8="),
    (bytearray(b"\x00\xff"), "AP8="),
    (2**70, str(2**70)),
    (-(2**70), str(-(2**70))),
    ("half \ud800 pair", "half \\ud800 pair"),
    ({"\ud800": 1}, {"\\ud800": 1}),
    (Colour.RED, "red"),
    ({"c": Colour.RED, "s": {1}}, {"c": "red", "s": [1]}),
    (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00+00:00"),
    ([dt.date(2026, 1, 2), {1}], ["2026-01-02", [1]]),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (decimal.Decimal("1.50"), "1.50"),
    (collections.deque([1, 2]), [1, 2]),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (ValueError("bad"), "ValueError: bad"),
    (Opaque(), "opaque"),
    (Opaque, f"{__name__}.Opaque"),
    (Array(), [1.0, 2.0]),
    (float("inf"), None),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=lambda case: repr(case)[:30])
def test_values_in_their_plain_form(value, expected):
    assert taken(value) == expected


def test_fields_that_nobody_set_are_left_out_where_the_sdk_leaves_them_out():
    assert taken({"m": Model(a=2)}, exclude_unset=True) == {"m": {"a": 2}}
    assert taken({"m": Model(a=2), "s": {1}}, exclude_unset=True) == {"m": {"a": 2}, "s": [1]}


class Secretive(pydantic.BaseModel):
    shown: str
    hidden: str = pydantic.Field(default="S3CRET", exclude=True)
    number: int = 1

    @pydantic.field_serializer("number")
    def as_text(self, number):
        return f"#{number}"


@pytest.mark.parametrize("neighbour", [1, {2}, b"x", "x" * 5000])
def test_a_models_own_ways_are_kept_on_both_ways(neighbour):
    given = {"model": Secretive(shown="x"), "neighbour": neighbour}
    assert taken(given)["model"] == {"shown": "x", "number": "#1"}


def test_only_the_fields_of_a_model_are_taken():
    model = Model(a=2)
    model.__dict__["_request_id"] = "of the SDK"
    assert plain(model, LIMIT).content().value == {"a": 2, "b": None}


def test_a_model_class_is_its_schema():
    assert taken({"format": Model, "odd": {1}}) == {
        "format": Model.model_json_schema(),
        "odd": [1],
    }


def test_many_numbers_are_copied_whole():
    value = {"vectors": [[0.5] * 384 for _ in range(1000)], "tokens": list(range(100_000))}
    assert taken(value) == value
    assert taken([*range(20), 2**70]) == [*range(20), str(2**70)]


def test_a_cycle_is_cut_and_named():
    value = {"name": "loop"}
    value["self"] = value
    found = snapshot(value, LIMIT)
    assert found.content().value == {"name": "loop", "self": "<cycle>"}
    assert found.warnings == ["a cycle was cut"]


def test_the_same_value_twice_is_no_cycle():
    shared = {1}
    assert taken([shared, shared]) == [[1], [1]]


def test_depth_is_cut():
    value = []
    for _ in range(5000):
        value = [value]
    found = snapshot(value, LIMIT)
    assert found.content().json.startswith(b"[[[[")
    assert found.warnings == ["nesting deeper than 100 was cut"]


def test_number_of_values_is_cut():
    found = plain([[n] for n in range(300_000)], LIMIT)
    assert found.warnings == ["more than 200,000 values was cut"]
    assert len(found.content().value) == 300_000


def test_leaves_are_cut_and_the_shape_stays():
    found = snapshot({"a": "x" * 2000, "b": [b"y" * 2000], "c": 1}, LIMIT)
    value = found.content().value
    assert value["a"] == "x" * LIMIT + "…"
    assert value["c"] == 1
    assert len(found.warnings) == 2


def test_what_raises_is_named_and_the_rest_is_kept():
    found = snapshot({"bad": Hostile(), "good": 1}, LIMIT)
    assert found.content().value == {"bad": "<Hostile>", "good": 1}
    assert found.warnings == ["a value of type Hostile could not be read (RuntimeError)"]


def test_iterators_are_not_consumed():
    numbers = iter([1, 2, 3])
    generator = (n for n in range(3))
    taken({"i": numbers, "g": generator})
    assert list(numbers) == [1, 2, 3]
    assert list(generator) == [0, 1, 2]


def test_later_changes_do_not_show():
    value = {"messages": [{"content": "x" * 900, "images": [b"z" * 900]}]}
    found = snapshot(value, 100_000)
    value["messages"][0]["content"] = "changed"
    value["messages"].append({})
    assert found.content().value["messages"] == [{"content": "x" * 900, "images": ["enp6" * 300]}]


def test_big_leaves_are_shared():
    text = "x" * 200_000
    found = snapshot({"text": text}, 10**9)
    assert not isinstance(found, bytes)
    assert found._value["text"] is text
    assert found.size >= 200_000


def test_what_is_big_stays_a_value_and_is_the_same():
    value = {"text": "x\ud800" * 50_000, "blob": bytes(200_000), "big": 2**70, "v": [0.5] * 2000}
    content = snapshot(value, 10**9).content()
    assert not content.has_json
    assert content.value == {
        "text": "x\\ud800" * 50_000,
        "blob": base64.b64encode(bytes(200_000)).decode(),
        "big": str(2**70),
        "v": [0.5] * 2000,
    }
    assert orjson.loads(content.json) == content.value


def test_long_vectors_are_copied_whole():
    vector = [0.5] * 5000
    found = snapshot({"embedding": vector}, LIMIT)
    vector[0] = 1.0
    assert found.content().value == {"embedding": [0.5] * 5000}
    assert not found.warnings


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(json_values)
def test_json_values_stay_as_they_are_on_both_ways(value):
    assert taken(value) == value
    assert plain(value, LIMIT).content().value == value


anything = st.recursive(
    json_values
    | st.binary()
    | st.integers()
    | st.text(st.characters(codec=None))
    | st.builds(Hostile)
    | st.sampled_from([Opaque(), Colour.RED, Model(), Point(1, {2})]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner) | st.tuples(inner)
    ),
    max_leaves=30,
)


@given(anything)
def test_nothing_raises_and_everything_is_json(value):
    assert isinstance(plain(value, LIMIT).content().json, bytes)
    taken(value)


@pytest.mark.parametrize(
    "value", [Model(a=2), Model(a=2, b="x" * 5000), {"a": {1}}, Hostile(), Secretive(shown="x")]
)
def test_an_answer_is_taken_as_any_value_is(value):
    one, two = answer_snapshot(value, LIMIT), snapshot(value, LIMIT)
    one = orjson.loads(one) if isinstance(one, bytes) else one.content().value
    two = orjson.loads(two) if isinstance(two, bytes) else two.content().value
    assert one == two


@pytest.mark.parametrize("neighbour", [1, "x" * 200_000])
@pytest.mark.parametrize("odd", [2**70, "\ud800", b"x", None, float("inf"), {"a": {1}}])
def test_a_list_that_begins_with_numbers_may_hold_anything(odd, neighbour):
    value = {"list": [0.5] * 20 + [odd], "neighbour": neighbour}
    content = plain(value, 10**9).content()
    assert orjson.loads(content.json) == content.value
    assert content.value["list"][:20] == [0.5] * 20


def test_a_model_class_without_a_schema_is_its_name():
    class Odd(pydantic.BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        lock: Opaque

    assert taken({"format": Odd}) == {"format": f"{__name__}.{Odd.__qualname__}"}
