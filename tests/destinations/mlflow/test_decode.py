from __future__ import annotations

import json
from pathlib import Path

import pytest

from ollamatrace.destinations.mlflow.decode import decode
from ollamatrace.destinations.mlflow.stored import hex_id, plain_attributes
from ollamatrace.records import Content, TraceUpdate, Usage
from tests.destinations.mlflow.samples import START, TRACE, call, no_pause, span

GOLDEN = Path(__file__).parents[2] / "golden"


def lines(records):
    return [json.loads(record.line()) for record in sorted(records, key=lambda one: one.start_ns)]


TAKEN = {
    "code.function.name": "shop.Cart.add",
    "gen_ai.conversation.id": "x",
    "gen_ai.provider.name": "x",
    "gen_ai.system": "x",
    "gen_ai.usage.reasoning.output_tokens": 9,
    "messages": "x",
    "mlflow.chat.tokenUsage": {"input_tokens": 9},
    "mlflow.chat.tools": [],
    "mlflow.llm.cost": {"total_cost": 0.5},
    "mlflow.llm.model": "x",
    "mlflow.llm.provider": "x",
    "mlflow.message.format": "x",
    "mlflow.spanFunctionName": "x",
    "mlflow.spanInputs": "x",
    "mlflow.spanLogLevel": 3,
    "mlflow.spanOutputs": "x",
    "mlflow.spanType": "x",
    "mlflow.traceRequestId": "x",
    "mlflow.traceTag.env": "x",
    "ollama.done": "x",
    "ollamatrace.anything": "x",
    "ollamatrace.attribute.a": "x",
    "ollamatrace.attribute.ollamatrace.attribute.a": "x",
    "ollamatrace.end_reason": "x",
    "ollamatrace.links": ["x"],
    "ollamatrace.metadata": {"x": "x"},
    "ollamatrace.native": {"call": "chat"},
    "ollamatrace.session": "x",
    "ollamatrace.status": "CANCELLED",
    "ollamatrace.status_message": "x",
    "ollamatrace.tags": {"x": "x"},
    "ollamatrace.timing": {"chunks": 9},
    "ollamatrace.usage": {"input_tokens": 9},
    "ollamatrace.user": "x",
    "ollamatrace.warnings": ["x"],
    "session.id": "x",
    "user.id": "x",
}
"""Attributes of a program's own with names that mean something to the server or here."""
RECORDS = {
    "names of fields": span(
        attributes=TAKEN, input_content=Content(None), output_content=Content(None)
    ),
    "names of fields in a call": call(
        attributes={**TAKEN, "gen_ai.request.model": "x", "gen_ai.response.finish_reasons": ["x"]}
    ),
    "a manual span with usage": span(usage=Usage(5, 7, 12, None, 3), model="m"),
    "empty keys": span(input_content=Content({"": {"": 1}}), attributes={"": 1, "a": {"": 2}}),
    "manual": span(attributes={"foo": "bar", "n": 1, "model": "m", "gen_ai.x": 1}),
    "call": call(),
    "error": call(
        status="ERROR",
        end_reason="error",
        status_message="ValueError: no",
        output_content=Content(None),
        usage=None,
    ),
    "cancelled": call(status="CANCELLED", end_reason="cancelled", status_message="Cancelled: x"),
    "cancelled without a text": span(status="CANCELLED", end_reason="cancelled"),
    "partial usage": call(usage=Usage(output_tokens=3)),
    "cached": call(usage=Usage(5, 6, 11, 4)),
    "openai": call(
        provider="openai",
        input_content=Content({"model": "m", "messages": [{"role": "user", "content": "x"}]}),
        output_content=Content({"choices": [{"message": {"role": "assistant", "content": "y"}}]}),
        attributes={},
    ),
    "embedding": call(
        kind="EMBEDDING",
        name="Embed",
        input_content=Content({"model": "m", "input": ["a", "b"]}),
        output_content=Content({"model": "m", "embeddings": [[1.5, -2.0], [0.25, 3.5]]}),
    ),
    "long session": span(session="s" * 400, user="u" * 400),
    "texts like json": span(
        input_content=Content("[1, 2]"), output_content=Content('{"a": 1}'), attributes={"q": '"x"'}
    ),
    "nothing in or out": span(input_content=Content(None), output_content=Content(None)),
    "warnings": span(warnings=["a", "b"], tags={"a": ""}, metadata={"m": "x" * 300}),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
async def test_what_we_wrote_comes_back_whole(open_channel, record):
    channel = open_channel()
    channel.send([record], no_pause)
    trace = await channel.get(TRACE)
    assert lines(trace.spans) == lines([record])


async def test_tags_that_the_server_made_of_own_attributes_stay_attributes(mlflow, open_channel):
    own = {"mlflow.traceTag.env": "dev", "mlflow.traceTag.mlflow.traceName": "other"}
    records = [span(1), span(2, parent_id=f"{1:016x}", attributes=own)]
    channel = open_channel()
    channel.send(records, no_pause)
    mlflow.infos[f"tr-{TRACE}"]["tags"].update({"env": "dev", "mlflow.traceName": "other"})
    assert lines((await channel.get(TRACE)).spans) == lines(records)


async def test_a_tree_comes_back_in_the_order_of_its_starts(open_channel):
    root, one, two = span(1), span(2, parent_id=f"{1:016x}"), call(3, parent_id=f"{2:016x}")
    channel = open_channel()
    channel.send([two, one, root], no_pause)
    trace = await channel.get(TRACE)
    assert [one.span_id for one in trace.spans] == [f"{n:016x}" for n in (1, 2, 3)]
    assert lines(trace.spans) == lines([root, one, two])
    assert trace.root.name == root.name


async def test_of_spans_that_start_together_the_parent_comes_first(open_channel):
    child = span(1, start_ns=START, parent_id=f"{2:016x}")
    root = span(2, start_ns=START)
    root.end_ns += 1
    channel = open_channel()
    channel.send([child, root], no_pause)
    assert [one.parent_id for one in (await channel.get(TRACE)).spans] == [None, f"{2:016x}"]


async def test_spans_of_one_trace_keep_their_own_sessions(open_channel):
    records = [span(1, session="a"), span(2, parent_id=f"{1:016x}", session="b")]
    channel = open_channel()
    channel.send(records, no_pause)
    assert [one.session for one in (await channel.get(TRACE)).spans] == ["a", "b"]


async def test_what_was_said_later_is_on_every_span(open_channel):
    records = [span(1, session="a", tags={"env": "dev"}), span(2, parent_id=f"{1:016x}")]
    channel = open_channel()
    channel.send(records, no_pause)
    update = TraceUpdate(
        trace_id=TRACE,
        session="ab",
        user="bob",
        name="renamed",
        tags={"env": "de"},
        metadata={"m": "1"},
    )
    channel.send([update], no_pause)
    trace = await channel.get(TRACE)
    assert [one.name for one in trace.spans] == ["renamed", "step"]
    for one in trace.spans:
        assert (one.session, one.user) == ("ab", "bob")
        assert (one.tags, one.metadata) == ({"env": "de"}, {"m": "1"})


def golden(name):
    (first, *_) = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))["traces"]
    return decode(first["info"], first["data"]["spans"])


def test_a_trace_of_autolog():
    trace = golden("chat_stream_include_usage")
    root = trace.root
    assert (root.name, root.kind, root.status) == ("Completions", "CHAT_MODEL", "OK")
    assert root.inputs["messages"][-1]["content"] == "Hi there"
    assert root.model == "llama3.2:1b"
    assert dict(root.usage) == {"input_tokens": 26, "output_tokens": 9, "total_tokens": 35}
    assert root.events[0]["name"] == "chunk"
    assert root.events[0]["attributes"]["value"]["object"] == "chat.completion.chunk"
    assert root.attributes == {}  # each is an argument, or has a field of its own
    assert root.metadata == {}


def test_an_error_of_autolog():
    root = golden("chat_error_404").root
    assert (root.status, root.end_reason) == ("ERROR", "error")
    assert root.events[0]["attributes"]["exception.type"] == "NotFoundError"
    assert root.outputs is None


def test_session_user_and_metadata_of_others():
    trace = golden("session_user_metadata")
    assert {one.session for one in trace.spans} == {"sess-1"}
    assert {one.user for one in trace.spans} == {"alice"}
    assert all(not key.startswith("mlflow.") for key in trace.root.metadata)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_every_golden_trace_is_readable(file):
    for stored in json.loads(file.read_text("utf-8"))["traces"]:
        trace = decode(stored["info"], stored["data"]["spans"])
        assert len(trace.spans) == len(stored["data"]["spans"])
        assert all(len(one.span_id) == 16 for one in trace.spans)
        for one in trace.spans:
            one.line()


def test_a_span_of_another_tool():
    attributes = [
        {"key": "gen_ai.provider.name", "value": {"string_value": "vllm"}},
        {"key": "gen_ai.conversation.id", "value": {"string_value": "c-1"}},
        {"key": "own", "value": {"double_value": 2}},
        {"key": "big", "value": {"int_value": "9007199254740993"}},
    ]
    stored = {
        "span_id": "AAAAAAAAAKE=",
        "parent_span_id": None,
        "name": "x",
        "start_time_unix_nano": "5",
        "end_time_unix_nano": "6",
        "attributes": attributes,
        "links": [{"trace_id": "f" * 32, "span_id": "AAAAAAAAAKE="}],
    }
    root = decode({"trace_id": f"tr-{TRACE}"}, [stored]).root
    assert (root.kind, root.provider, root.session) == ("UNKNOWN", "vllm", "c-1")
    assert (root.start_ns, root.end_ns, root.span_id) == (5, 6, "00000000000000a1")
    assert root.attributes["own"] == 2.0
    assert root.attributes["big"] == 9007199254740993
    assert root.links == [{"trace_id": "f" * 32, "span_id": "00000000000000a1"}]


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("AAAAAAAAAKE=", "00000000000000a1"),
        ("00000000000000a1", "00000000000000a1"),
        ("0xA1", "00000000000000a1"),
        ("", None),
        (None, None),
        ("!", None),
    ],
)
def test_ids_in_any_notation(value, digits):
    assert hex_id(value, 16) == digits


def test_a_base64_id_that_looks_like_hex_is_none():
    assert hex_id("ASNFZ4mrze8BI0VniavN4Q==", 32) == "0123456789abcdef0123456789abcde1"
    assert hex_id("tr-" + "a" * 32, 32) == "a" * 32


def test_an_empty_key_that_the_server_leaves_out():
    inner = {"kvlist_value": {"values": [{"value": {"int_value": "1"}}]}}
    assert plain_attributes([{"value": inner}]) == {"": {"": 1}}


def test_texts_that_are_no_json_stay():
    assert plain_attributes({"a": "{x", "b": '{"c": [1]}', "d": 4}) == {
        "a": "{x",
        "b": {"c": [1]},
        "d": 4,
    }


def test_a_trace_without_spans_is_none():
    assert decode({"trace_id": f"tr-{TRACE}"}, []) is None
    assert decode({}, [{"name": "x"}]) is None
