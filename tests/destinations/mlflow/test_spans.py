"""The body of the request that brings spans to MLflow."""

from __future__ import annotations

import json

import pytest

from ollamatrace.destinations.mlflow.images import Images
from ollamatrace.destinations.mlflow.spans import encode
from tests.destinations.mlflow.golden_records import CALLS, PIXEL, a_record, record_of, span_of


def no_pause():
    pass


def sent(*records, **options):
    body = json.loads(encode(records, no_pause, **options))
    [resource] = body["resourceSpans"]
    assert resource.keys() == {"scopeSpans"}  # what is in a resource becomes a tag
    [scope] = resource["scopeSpans"]
    return scope["spans"]


def attributes_of(thing):
    return {pair["key"]: pair["value"] for pair in thing["attributes"]}


@pytest.mark.parametrize("name", CALLS)
def test_the_texts_are_those_of_mlflows_client(name):
    [span] = sent(record_of(name))
    expected, found = span_of(name)["attributes"], attributes_of(span)
    compared = {"mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.tools"}
    if "image" in name or "flag_off" in name:  # an attachment, and headers
        compared.remove("mlflow.spanInputs")
    for key in compared & expected.keys():
        assert found[key] == {"stringValue": expected[key]}


@pytest.mark.parametrize("name", CALLS)
def test_status_and_events_are_those_of_mlflows_client(name):
    [span], expected = sent(record_of(name)), span_of(name)
    assert span["status"] == {
        "code": 1 if expected["status"]["code"].endswith("OK") else 2,
        "message": "",
    }
    assert [event["name"] for event in span["events"]] == [e["name"] for e in expected["events"]]
    for event, wanted in zip(span["events"], expected["events"], strict=True):
        assert event["timeUnixNano"] == str(wanted["time_unix_nano"])
        found = attributes_of(event)
        found.pop("ollamatrace.exception.type", None)
        assert found == {k: {"stringValue": v} for k, v in wanted["attributes"].items()}


def test_a_span():
    [span] = sent(a_record(parent_id="00f067aa0ba902b7", start_ns=5, end_ns=7, name='a "name"'))
    del span["attributes"]
    assert span == {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "parentSpanId": "00f067aa0ba902b7",
        "name": 'a "name"',
        "kind": 1,
        "startTimeUnixNano": "5",
        "endTimeUnixNano": "7",
        "status": {"code": 1, "message": ""},
        "events": [],
        "links": [],
    }
    assert "parentSpanId" not in sent(a_record())[0]


def test_an_end_is_never_zero():
    assert sent(a_record(start_ns=5, end_ns=0))[0]["endTimeUnixNano"] == "5"
    assert sent(a_record(start_ns=0, end_ns=0))[0]["endTimeUnixNano"] == "1"


@pytest.mark.parametrize(
    ("status", "provider", "sent_status"),
    [
        ("ERROR", "openai", {"code": 2, "message": ""}),
        ("ERROR", None, {"code": 2, "message": "ValueError: bad"}),
        ("CANCELLED", "openai", {"code": 2, "message": "cancelled"}),
        ("CANCELLED", None, {"code": 2, "message": "cancelled"}),
    ],
)
def test_status(status, provider, sent_status):
    record = a_record(status=status, provider=provider, status_message="ValueError: bad")
    assert sent(record)[0]["status"] == sent_status


def test_the_same_span_twice_is_sent_once():
    other = a_record(span_id="2" * 16)
    spans = sent(a_record(name="first"), other, a_record(name="last"))
    assert [span["name"] for span in spans] == ["last", "Completions"]


def test_links():
    link = {"trace_id": "a" * 32, "span_id": "b" * 16}
    assert sent(a_record(links=[link]))[0]["links"] == [{"traceId": "a" * 32, "spanId": "b" * 16}]


def test_the_name_of_the_trace_rides_on_its_root():
    key = "mlflow.traceTag.mlflow.traceName"
    assert attributes_of(sent(a_record())[0])[key] == {"stringValue": "Completions"}
    below = a_record(parent_id="1" * 16)
    assert key not in attributes_of(sent(below)[0])


def test_values():
    values = {
        "text": "plain",
        "json text": '{"a": 1}',
        "quoted": '"q"',
        "spaced": " [1]",
        "number as text": "123",
        "other script": "é😀",
        "bool": True,
        "int": 5,
        "beyond": 2**63,
        "float": 0.5,
        "tiny": 1e-6,
        "none": None,
        "map": {"a": [1, "é"], "b": 2**64 - 1},
    }
    found = attributes_of(sent(a_record(provider=None, attributes=values))[0])
    assert {key: found[key] for key in values} == {
        "text": {"stringValue": "plain"},
        # Its own JSON text: else the server would take it for a mapping.
        "json text": {"stringValue": '"{\\"a\\": 1}"'},
        "quoted": {"stringValue": '"\\"q\\""'},
        "spaced": {"stringValue": '" [1]"'},
        "number as text": {"stringValue": "123"},
        "other script": {"stringValue": "é😀"},
        "bool": {"boolValue": True},
        "int": {"intValue": "5"},
        "beyond": {"stringValue": "9223372036854775808"},  # one such integer costs a batch
        "float": {"doubleValue": 0.5},
        "tiny": {"doubleValue": 1e-06},
        "none": {},
        "map": {"stringValue": '{"a": [1, "é"], "b": 18446744073709551615}'},
    }


def test_attributes_of_events_are_raw():
    known = {
        "text": "[1]",
        "n": 1,
        "x": 1.5,
        "on": False,
        "none": None,
        "list": [1],
        "map": {"a": 1},
    }
    [span] = sent(a_record(events=[{"name": "e", "time_ns": 5, "attributes": known}]))
    [event] = span["events"]
    assert attributes_of(event) == {
        "text": {"stringValue": "[1]"},
        "n": {"intValue": "1"},
        "x": {"doubleValue": 1.5},
        "on": {"boolValue": False},
        "none": {},
        "list": {"stringValue": "[1]"},
        "map": {"stringValue": '{"a": 1}'},
    }


def test_an_exception_has_its_bare_name_and_keeps_the_full_one():
    known = {"exception.type": "openai.BadRequestError", "exception.message": "m"}
    [span] = sent(a_record(events=[{"name": "exception", "time_ns": 5, "attributes": known}]))
    found = attributes_of(span["events"][0])
    assert found["exception.type"] == {"stringValue": "BadRequestError"}
    assert found["ollamatrace.exception.type"] == {"stringValue": "openai.BadRequestError"}


def test_an_own_event_named_chunk_stays():
    [span] = sent(a_record(events=[{"name": "chunk", "time_ns": 5, "attributes": {"a": 1}}]))
    assert span["events"][0]["name"] == "chunk"


def test_large_values_are_written_in_pieces_and_alike():
    pauses = []
    big = {"text": 'é"\\\n😀' * 40_000, "list": [[i, {"k": None}] for i in range(9_000)], "x": {}}
    values = {"long": '"' + "y" * 70_000, "plain": "z" * 70_000}
    record = a_record(provider=None, inputs=big, outputs=["small"], attributes=values)
    body = json.loads(encode([record], lambda: pauses.append(1)))
    found = attributes_of(body["resourceSpans"][0]["scopeSpans"][0]["spans"][0])
    assert found["mlflow.spanInputs"]["stringValue"] == json.dumps(big, ensure_ascii=False)
    assert json.loads(found["long"]["stringValue"]) == values["long"]
    assert json.loads(found["plain"]["stringValue"]) == values["plain"]
    assert len(pauses) > 30


def test_it_pauses_after_each_span():
    pauses = []
    encode([a_record(), a_record(span_id="1" * 16)], lambda: pauses.append(1))
    assert len(pauses) == 2


def test_half_a_surrogate_costs_no_batch():
    for text in ("\ud83d", "x" * 500 + "\ud83d"):
        assert sent(a_record(attributes={"a": text}))[0]["name"] == "Completions"


def test_images_are_taken_out():
    url = f"data:image/png;base64,{PIXEL}"
    record = a_record(
        inputs={"messages": [{"content": [{"image_url": {"url": url}}]}]}, outputs=url
    )
    images = Images(no_pause)
    found = attributes_of(sent(record, images=images)[0])
    assert "mlflow-attachment://" in found["mlflow.spanInputs"]["stringValue"]
    assert found["mlflow.spanOutputs"]["stringValue"].startswith("mlflow-attachment://")
    assert len(images.attachments) == 1
    assert url in attributes_of(sent(record)[0])["mlflow.spanInputs"]["stringValue"]


def test_a_nul_becomes_what_every_database_holds():
    literal = "\\u0000 \\\\u0000"
    hostile = {"a": f"x\0y {literal}", "long": "\0" * 40_000}
    record = a_record(name="a\0b", provider=None, inputs=hostile, attributes={"k": "a\0b"})
    [span] = sent(record)
    assert span["name"] == "a\ufffdb"
    found = attributes_of(span)
    assert found["k"]["stringValue"] == "a\ufffdb"
    assert json.loads(found["mlflow.spanInputs"]["stringValue"]) == {
        "a": f"x\ufffdy {literal}",
        "long": "\ufffd" * 40_000,
    }
