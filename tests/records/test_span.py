"""The record, its counts, its line."""

from __future__ import annotations

import pytest

from ollamatrace.records import Content, SpanRecord, Timing, Trace, Usage


def record(span_id="a" * 16, parent_id=None, **more):
    return SpanRecord(
        name="Chat",
        kind="CHAT_MODEL",
        trace_id="b" * 32,
        span_id=span_id,
        parent_id=parent_id,
        start_ns=1,
        end_ns=2,
        status="OK",
        end_reason="returned",
        **more,
    )


def test_absent_is_not_zero():
    usage = Usage(input_tokens=3, cached_tokens=0)
    assert usage.output_tokens is None
    assert dict(usage) == {"input_tokens": 3, "cached_tokens": 0}
    assert usage == {"input_tokens": 3, "cached_tokens": 0}
    assert usage.get("output_tokens") is None
    assert "output_tokens" not in usage
    assert len(usage) == 2
    with pytest.raises(KeyError):
        usage["output_tokens"]
    with pytest.raises(KeyError):
        usage["__class__"]


def test_a_line_is_read_back_as_it_was():
    full = record(
        input_content=Content(json=b'{"b":1,"a":[1.50]}'),
        output_content=Content({"text": "né"}),
        attributes={"k": [1]},
        events=[{"name": "e", "time_ns": 5, "attributes": {"x": 1}}],
        links=[{"trace_id": "c" * 32, "span_id": "d" * 16}],
        usage=Usage(input_tokens=1),
        timing=Timing(chunks=3),
        warnings=["w"],
        session="s",
        tags={"t": "1"},
    )
    line = full.line()
    assert b"\n" not in line
    again = SpanRecord.from_line(line)
    assert again.line() == SpanRecord.from_line(again.line()).line()
    assert again.inputs == {"b": 1, "a": [1.5]}
    assert again.outputs == {"text": "né"}
    assert again.usage == {"input_tokens": 1}
    assert again.timing.chunks == 3
    assert SpanRecord.from_line(record().line()).usage is None


def test_a_line_of_a_newer_version_is_read():
    line = record().line().replace(b'{"name"', b'{"new_field":1,"name"')
    assert SpanRecord.from_line(line).name == "Chat"


@pytest.mark.parametrize("line", [b"", b"{", b"{}", b'{"name":"x"}'])
def test_what_is_no_line_is_a_value_error(line):
    with pytest.raises(ValueError):
        SpanRecord.from_line(line)


def test_content_is_made_once():
    content = Content(json=b'{"a":1}')
    assert content.value is content.value
    assert Content(None).json == b"null"
    assert Content().value is None


def test_root_is_the_span_without_a_parent_here():
    child, root = record("1" * 16, "2" * 16), record("2" * 16)
    assert Trace("b" * 32, (child, root)).root is root
    orphan = record("3" * 16, "9" * 16)
    assert Trace("b" * 32, (orphan, child)).root is orphan
