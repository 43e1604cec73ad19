"""Events are the same however their bytes are cut into pieces."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollamatrace.clients.event_stream import EventStream

ENDS = ("\n", "\r\n", "\r")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NOISE = st.sampled_from(
    [": ping", ":", "event: delta", "id: 7", "retry: 10", "unknown", "data : 1", "Data: 2"]
)


@st.composite
def streams(draw):
    """The bytes of a stream, with the values that are in it."""
    end = draw(st.sampled_from(ENDS))
    values = draw(st.lists(VALUES, max_size=4))
    text = ""
    for value in values:
        lines = draw(st.lists(NOISE, max_size=2))
        dumped = json.dumps(
            value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
        )
        space = draw(st.sampled_from(["", " "]))
        lines += [f"data:{space}{line}" for line in dumped.split("\n")]
        lines += draw(st.lists(NOISE, max_size=2))
        text += end.join(lines) + end + end * draw(st.integers(1, 3))
    # A CR at the very end may be half of a CR LF: something follows it.
    return text.encode("utf-8", "surrogatepass") + b": end", values


def cut(data, places):
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def fed(*pieces):
    stream = EventStream()
    return [value for piece in pieces for value in stream.feed(piece)]


@settings(deadline=None)
@given(streams(), st.lists(st.integers(0, 10_000), max_size=8))
def test_any_cut_gives_the_same_values(stream, places):
    data, values = stream
    assert fed(*cut(data, places)) == values


@settings(deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_any_cut_of_any_bytes_gives_the_same_values(data, places):
    assert fed(*cut(data, places)) == fed(data)


@settings(deadline=None)
@given(streams())
def test_byte_by_byte(stream):
    data, values = stream
    assert fed(*(data[at : at + 1] for at in range(len(data)))) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("data: 1\n\ndata: 2\n\n", [1, 2]),
        ("data:1\n\n", [1]),
        ("data:  1\n\n", [1]),
        ("data: 1\r\n\r\ndata: 2\r\n\r\n", [1, 2]),
        ("data: 1\r\rdata: 2\r\r:", [1, 2]),
        ("data: 1\r\n\n", [1]),
        (": comment\n\ndata: 1\n: another\n\n", [1]),
        ("event: message\nid: 4\nretry: 5\ndata: 1\n\n", [1]),
        ('data: {"a":\ndata: 1}\n\n', [{"a": 1}]),
        ("data: [1,\n: between\ndata: 2]\n\n", [[1, 2]]),
        ("data: 1\n\ndata: [DONE]\n\n", [1]),
        ("data: [DONE]\n\ndata: 1\n\n", [1]),
        ("data: no JSON\n\ndata: 1\n\n", [1]),
        ("data: {\n\ndata: 1\n\n", [1]),
        ("data\n\ndata:\n\ndata: 1\n\n", [1]),
        ("database: 2\n\ndata: 1\n\n", [1]),
        ("data: 1", []),
        ("data: 1\n", []),
        ("\n\n\n", []),
        ("", []),
        ('data: "\u2028\x85"\n\n', ["\u2028\x85"]),
        ('data: "é😀"\n\n', ["é😀"]),
    ],
)
def test_what_an_event_is(text, values):
    assert fed(text.encode()) == values


def test_a_byte_order_mark_is_passed_over():
    assert fed("\ufeffdata: 1\n\ndata: 2\n\n".encode()) == [1, 2]
    assert fed(b"\xef", b"\xbb", b"\xbfdata: 1\n\n") == [1]


def test_bytes_that_are_no_text():
    assert fed(b"data: \xff\xfe\n\ndata: 1\n\n") == [1]


def test_each_value_comes_with_the_piece_that_ends_it():
    stream = EventStream()
    assert stream.feed(b"data: 1\n") == []
    assert stream.feed(b"\ndata: 2") == [1]
    assert stream.feed(b"\r\n\r") == []
    assert stream.feed(b"\n") == [2]
