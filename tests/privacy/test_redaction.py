"""The stage that every record passes."""

from __future__ import annotations

import base64
import contextlib
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollamatrace import Capture, ConfigError, update_trace
from ollamatrace.privacy import Redaction
from ollamatrace.privacy.rules import replaced
from ollamatrace.records import Content, SpanRecord, TraceUpdate
from ollamatrace.testing import MemoryTracer

SECRET = "the secret"  # noqa: S105
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=15,
)


def no_pause():
    pass


def gone(text):
    return text.replace(SECRET, "[gone]")


def record(**fields):
    ids = {"trace_id": "1" * 32, "span_id": "2" * 16, "parent_id": None}
    times = {"start_ns": 1, "end_ns": 2}
    return SpanRecord(
        name="n", kind="LLM", **ids, **times, status="OK", end_reason="returned", **fields
    )


def redacted(capture, **fields):
    fields.setdefault("provider", "ollama")
    return Redaction(capture, None).apply(record(**fields), no_pause)


def planted(value, at):
    """`value` with the secret at one place in it, wherever `at` leads."""
    if isinstance(value, dict) and value:
        key = sorted(value)[at % len(value)]
        if at % 3:
            return {**value, key: planted(value[key], at // 2)}
        return {**value, f"a{SECRET}b": value[key]}
    if isinstance(value, list) and value:
        place = at % len(value)
        return [*value[:place], planted(value[place], at // 2), *value[place + 1 :]]
    return f"{value if isinstance(value, str) else ''}{SECRET}."


@given(JSON, st.integers(0, 10_000))
def test_a_secret_is_found_however_deep(value, at):
    value = planted(value, at)
    capture = Capture(redact=(gone,))
    event = {"name": "e", "time_ns": 1, "attributes": {"x": value}}
    line = redacted(
        capture,
        input_content=Content(value),
        output_content=Content(value),
        attributes={"a": value},
        event_content=Content([event]),
    ).line()
    assert SECRET.encode() not in line
    assert line.count(b"[gone]") == 4


@given(JSON)
def test_what_no_rule_touches_stays(value):
    span = redacted(Capture(redact=(gone,)), input_content=Content(value), attributes={"a": value})
    same = record(input_content=Content(value), attributes={"a": value}, provider="ollama")
    assert span.line() == same.line()


@given(JSON, st.integers(0, 10_000))
def test_without_content_no_text_is_left(value, at):
    value = planted(value, at)
    line = redacted(
        Capture(content=False),
        input_content=Content(value),
        output_content=Content({"choices": [{"message": {"role": "assistant", "content": value}}]}),
        attributes={"a": value},
        status_message=f"ValueError: {SECRET}",
    ).line()
    assert SECRET.encode() not in line


def test_without_content_shape_settings_sizes_and_hashes_stay():
    long = "Why is the sky blue? And why is it not green?"
    asked = {
        "model": "llama3.2:1b",
        "temperature": 0.5,
        "stream": True,
        "messages": [{"role": "system", "content": "Short."}, {"role": "user", "content": long}],
        "of_mine": {"x": 1},
    }
    span = redacted(Capture(content=False), input_content=Content(asked))
    assert span.inputs == {
        "model": "llama3.2:1b",
        "temperature": 0.5,
        "stream": True,
        "messages": [
            {"role": "system", "content": "<6 bytes>"},
            {"role": "user", "content": "<45 bytes, sha256 SUM>"},
        ],
        "other": "<19 bytes>",
    } | {"messages": span.inputs["messages"]}
    contents = [message["content"] for message in span.inputs["messages"]]
    assert contents[0] == "<6 bytes>"
    assert re.fullmatch(r"<45 bytes, sha256 [0-9a-f]{16}>", contents[1])
    again = redacted(Capture(content=False), input_content=Content({"prompt": long}))
    assert again.inputs == {"prompt": contents[1]}


def test_without_content_vectors_are_described():
    span = redacted(
        Capture(content=False), output_content=Content({"data": [{"embedding": [0.5] * 100}]})
    )
    assert re.fullmatch(r"<401 bytes, sha256 \w{16}>", span.outputs["data"][0]["embedding"])


def test_without_content_usage_times_and_names_stay():
    def fail():
        with tracer.span("named", "TOOL") as span:
            span.set("attempt", 3)
            span.set("word", "text")
            update_trace(user="u", tags={"t": "v"})
            raise ValueError("no good")

    with MemoryTracer(capture=Capture(content=False)) as tracer:
        with pytest.raises(ValueError, match="no"):
            fail()
        [one] = tracer.finished()
    assert (one.name, one.kind, one.user, one.tags) == ("named", "TOOL", "u", {"t": "v"})
    assert one.attributes == {"attempt": 3, "word": "<4 bytes>"}
    assert one.status_message == "ValueError: <7 bytes>"
    [event] = one.events
    assert event["attributes"]["exception.type"] == "ValueError"
    assert event["attributes"]["exception.message"] == "<7 bytes>"
    frames = event["attributes"]["exception.stacktrace"].split("\n")
    assert all(re.fullmatch(r'  File ".+", line \d+, in \S+', line) for line in frames)
    assert frames[-1].endswith("in fail")


def test_rules_come_one_after_the_other():
    rules = (lambda text: text.replace("a", "b"), lambda text: text.replace("b", "c"))
    assert redacted(Capture(redact=rules), input_content=Content("a")).inputs == "c"


def test_with_both_what_is_described_has_passed_the_rules():
    both = redacted(Capture(content=False, redact=(gone,)), input_content=Content(SECRET * 10))
    rules = redacted(Capture(redact=(gone,)), input_content=Content(SECRET * 10))
    outline = redacted(Capture(content=False), input_content=rules.input_content)
    assert both.inputs == outline.inputs


def test_a_number_may_be_one_of_a_card():
    capture = Capture(redact=("card",))
    assert redacted(capture, input_content=Content({"n": 4111111111111111})).inputs == {
        "n": "<card>"
    }
    assert redacted(capture, input_content=Content({"n": 1732300000})).inputs == {"n": 1732300000}


def test_what_is_secret_by_its_key():
    asked = {"password": "hunter2", "phone": "4155552671", "logprobs": [{"token": "Hello"}]}
    span = redacted(Capture(redact=("key", "phone")), input_content=Content(asked))
    assert span.inputs == {**asked, "password": "<key>", "phone": "<phone>"}
    asked = {"phone": 4155552671, "count": 4155552671}
    span = redacted(Capture(redact=("phone",)), input_content=Content(asked))
    assert span.inputs == {**asked, "phone": "<phone>"}


@pytest.mark.parametrize("rule", [lambda _: 1 / 0, lambda _: None, sys.exit])
def test_a_rule_that_fails_leaves_no_text(rule, caplog):
    span = redacted(Capture(redact=(rule,)), input_content=Content({"prompt": SECRET}))
    assert span.inputs == {"prompt": "<redaction failed>"}
    assert SECRET.encode() not in span.line()
    assert SECRET not in caplog.text
    assert "a rule of Capture(redact=…) raised" in caplog.text


def test_a_tracer_tells_of_a_rule_that_fails():
    told = []
    Redaction(Capture(redact=(lambda _: 1 / 0,)), told.append).apply(record(), no_pause)
    assert len(told) == 1
    assert "ZeroDivisionError" in told[0]


def test_a_failure_of_ours_leaves_ids_alone(monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    stage = Redaction(Capture(redact=(gone,)), None)
    span = stage.apply(
        record(input_content=Content(json=b"not JSON: " + SECRET.encode())), no_pause
    )
    assert (span.trace_id, span.span_id, span.name) == ("1" * 32, "2" * 16, "<redaction failed>")
    assert span.inputs is None
    assert SECRET not in caplog.text
    update = stage.apply(TraceUpdate(trace_id="1" * 32, tags=[SECRET]), no_pause)  # type: ignore[arg-type]
    assert update == TraceUpdate(trace_id="1" * 32)


def test_a_blunt_rule_leaves_a_conversation_one():
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    span = redacted(Capture(redact=(lambda _: "[x]",)), input_content=Content(asked))
    assert span.inputs == {"model": "[x]", "messages": [{"role": "user", "content": "[x]"}]}
    assert span.kind == "LLM"


def test_chunks_of_a_stream_are_sizes():
    event = {"name": "chunk", "time_ns": 5, "attributes": {"index": 0, "value": {"x": "the sec"}}}
    span = redacted(Capture(redact=(gone,)), event_content=Content([event]))
    assert span.events == [{**event, "attributes": {"index": 0, "value": "<15 bytes>"}}]


@pytest.mark.parametrize("redact", ["email", ["mail"], [3], len])
def test_rules_are_callables_or_known(redact):
    with pytest.raises(ConfigError, match="redact takes"):
        Capture(redact=redact)


def test_rules_may_come_as_a_list():
    assert Capture(redact=["email", gone]) == Capture(redact=("email", gone))
    assert hash(Capture(redact=["email"])) == hash(Capture(redact=("email",)))


def test_half_a_character_that_a_rule_leaves_is_escaped():
    rules = (lambda text: text.replace("half", "\ud83d"), gone)
    span = redacted(Capture(redact=rules), input_content=Content({"half": "a half"}))
    assert b"a \\\\ud83d" in span.line()


def test_two_keys_that_become_one_are_both_kept():
    asked = {"a@x.example": 1, "b@x.example": 2}
    span = redacted(Capture(redact=("email",)), input_content=Content(asked))
    assert sorted(span.inputs.values()) == [1, 2]


@pytest.mark.parametrize(
    "secret", [4111111111111111.0, base64.b64encode(b"it is 4111 1111 1111 1111").decode()]
)
def test_a_number_in_other_clothes(secret):
    span = redacted(Capture(redact=("card",)), input_content=Content({"a": secret}))
    assert "<card>" in span.inputs["a"]


def test_what_is_secret_by_its_key_in_a_list():
    span = redacted(Capture(redact=("key",)), input_content=Content({"password": ["hunter22"]}))
    assert span.inputs == {"password": ["<key>"]}


@pytest.mark.parametrize("limit", [100, 1000])
def test_half_a_secret_at_a_cut_is_gone(limit):
    class Odd:
        def __repr__(self):
            return "y" * 980 + " jo.doe.smith@mail.example"

    with MemoryTracer(capture=Capture(redact=("email",), max_leaf_bytes=limit)) as tracer:
        with tracer.span("cut") as span:
            span.inputs = ["y" * (limit - 15) + " jo.doe.smith@mail.example" + "z" * 100, Odd()]
        [record] = tracer.finished()
    assert b"jo.doe" not in record.line()


def test_half_a_secret_at_the_end_of_a_long_message_is_gone():
    with MemoryTracer(capture=Capture(redact=("email",))) as tracer:
        with contextlib.suppress(ValueError), tracer.span("fails"):
            raise ValueError("y" * 9985 + " jo.doe.smith@mail.example")
        [record] = tracer.finished()
    assert b"jo.doe" not in record.line()
    assert record.status_message.endswith("…")


def test_without_content_no_name_of_a_field_is_a_pass():
    asked = {"status": "fired", "role": "jo.doe@x.example", "n": "hunter22", "seed": "hunter22"}
    call = redacted(Capture(content=False), input_content=Content(asked))
    function = redacted(Capture(content=False), input_content=Content(asked), provider=None)
    tool = {"tool_calls": [{"function": {"arguments": {"role": "user", "type": "text"}}}]}
    called = redacted(Capture(content=False), output_content=Content(tool))
    for span in (call, function):
        assert all(value.encode() not in span.line() for value in asked.values())
    assert function.inputs.startswith("<")
    assert called.outputs["tool_calls"][0]["function"]["arguments"].startswith("<")


def test_a_picture_is_stepped_over_and_stays_one():
    picture = "data:image/png;base64," + base64.b64encode(b"+4917012345678 " * 10_000).decode()
    span = redacted(Capture(redact=("phone", "key")), input_content=Content({"url": picture}))
    assert span.inputs == {"url": picture}


@given(st.integers(0, 30_000), st.sampled_from(["4111 1111 1111 1111", "jo.doe@mail.example.org"]))
def test_a_long_text_is_looked_at_piece_by_piece(place, secret):
    text = ("lorem ipsum " * 3000)[:place] + f" {secret} " + "dolor sit " * 2000
    paused = []
    for name in ("card", "email"):
        text = replaced(name, text, lambda: paused.append(1))
    assert secret not in text
    assert text.count("<card>") + text.count("<email>") == 1
    assert len(paused) > 5
