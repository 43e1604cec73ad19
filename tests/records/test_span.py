"""The record, its counts, its line."""

from __future__ import annotations

import orjson
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
        event_content=Content([{"name": "e", "time_ns": 5, "attributes": {"x": 1}}]),
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


def test_json_is_asked_for_once_and_only_when_needed():
    asked = []
    content = Content(json=lambda: asked.append(1) or b'{"a":1}')
    assert content.has_json
    assert not asked
    assert content.value == {"a": 1}
    assert content.json == b'{"a":1}'
    assert asked == [1]


def test_events_are_decoded_when_they_are_looked_at_and_can_be_added_to():
    first, second = ({"name": name, "time_ns": 5, "attributes": {}} for name in "ab")
    packed = Content(json=orjson.dumps([first]))
    one = record(event_content=packed)
    assert SpanRecord.from_line(one.line()).events == [first]
    assert packed.has_json
    events = one.events
    assert not packed.has_json
    one.line()
    events.append(second)
    assert SpanRecord.from_line(one.line()).events == [first, second]
    assert one.events is events


def test_records_without_events_share_none():
    record().events.append({"name": "a", "time_ns": 5, "attributes": {}})
    assert record().events == []
    again = SpanRecord.from_fields({**orjson.loads(record().line()), "event_content": 1})
    assert again.events == []
    assert again.inputs is None


def test_root_is_the_span_without_a_parent_here():
    child, root = record("1" * 16, "2" * 16), record("2" * 16)
    assert Trace("b" * 32, (child, root)).root is root
    orphan = record("3" * 16, "9" * 16)
    assert Trace("b" * 32, (orphan, child)).root is orphan
