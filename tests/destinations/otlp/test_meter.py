"""What calls add up to."""

from __future__ import annotations

import pytest

from ollamatrace.destinations.otlp import meter as meters
from ollamatrace.destinations.otlp.histogram import DURATION, OUTPUT_CHUNK, TOKENS
from ollamatrace.destinations.otlp.meter import Meter
from ollamatrace.records import Content, Timing, Usage
from tests.destinations.mlflow.samples import START, call, span

S = 1_000_000_000
PLACE = {"server.address": "localhost", "server.port": 11434}
ASKED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "ollama",
    "gen_ai.request.model": "llama3.2",
}
CALL = {**ASKED, "gen_ai.response.model": "llama3.2:1b", **PLACE}


def chat(seconds=0.5, **fields):
    """A call that takes so long; its attributes are those that a recorder notes."""
    usual = {
        "start_ns": START,
        "end_ns": START + round(seconds * S),
        "attributes": {"model_asked": "llama3.2", "finish_reason": "stop", **PLACE},
        "event_content": Content([]),
        "timing": Timing(),
        "usage": None,
    }
    return call(**{**usual, **fields})


def chunks(*at_ms):
    return [{"name": "chunk", "time_ns": START + ms * 1_000_000, "attributes": {}} for ms in at_ms]


@pytest.fixture
def measured():
    """Measure records; the points by the name of their instrument."""

    def measure(*records, meter=None):
        meter = meter or Meter()
        for record in records:
            meter.measure(record)
        return {one.instrument.name: one.points for one in meter.taken()}

    return measure


def test_how_long_calls_take(measured):
    [point] = measured(chat(0.5), chat(0.5), chat(100))["gen_ai.client.operation.duration"]
    assert point.attributes == CALL
    counted = point.histogram
    assert (counted.count, counted.total, counted.least, counted.most) == (3, 101.0, 0.5, 100.0)
    assert counted.counts == [0] * 6 + [2] + [0] * 7 + [1]
    assert DURATION.bounds[5:7] == (0.32, 0.64)


def test_a_bound_belongs_to_the_bucket_below(measured):
    usage = Usage(input_tokens=64, output_tokens=65)
    taken, given = measured(chat(usage=usage))["gen_ai.client.token.usage"]
    at = TOKENS.bounds.index(64)
    assert taken.attributes == {**CALL, "gen_ai.token.type": "input"}
    assert given.attributes == {**CALL, "gen_ai.token.type": "output"}
    assert (taken.histogram.counts[at], given.histogram.counts[at + 1]) == (1, 1)


def test_tokens_that_were_not_counted_are_not_reported(measured):
    assert "gen_ai.client.token.usage" not in measured(chat())
    [point] = measured(chat(usage=Usage(input_tokens=3)))["gen_ai.client.token.usage"]
    assert point.attributes["gen_ai.token.type"] == "input"


def test_the_chunks_of_a_stream(measured):
    found = measured(
        chat(
            timing=Timing(first_token_ns=S // 4, chunks=3),
            event_content=Content(
                [
                    *chunks(10, 30),
                    {"name": "own", "time_ns": START, "attributes": {}},
                    *chunks(530),
                ]
            ),
        )
    )
    [first] = found["gen_ai.client.operation.time_to_first_chunk"]
    [between] = found["gen_ai.client.operation.time_per_output_chunk"]
    assert (first.attributes, first.histogram.total) == (CALL, 0.25)
    assert between.histogram.count == 2
    assert between.histogram.total == pytest.approx(0.52)
    assert between.histogram.counts[OUTPUT_CHUNK.bounds.index(0.02)] == 1


def test_calls_that_are_no_streams_have_no_chunks(measured):
    assert list(measured(chat(timing=Timing(first_token_ns=5)))) == [DURATION.name]


@pytest.mark.parametrize(
    ("record", "does"),
    [
        (chat(kind="LLM", input_content=Content({"prompt": "Why?"})), "text_completion"),
        (chat(kind="LLM", input_content=Content({"input": "Why?"})), "generate_content"),
        (chat(kind="EMBEDDING"), "embeddings"),
    ],
)
def test_what_other_calls_do(measured, record, does):
    [point] = measured(record)[DURATION.name]
    assert point.attributes["gen_ai.operation.name"] == does


def test_what_is_no_call_of_a_model_is_not_measured(measured):
    manual = [span(kind=kind) for kind in ("CHAIN", "TOOL", "AGENT", "CHAT_MODEL", "LLM")]
    assert measured(*manual, chat(kind="TASK"), chat(kind="RETRIEVER"), chat(kind="TOOL")) == {}


def test_a_call_that_failed(measured):
    event = {
        "name": "exception",
        "time_ns": START,
        "attributes": {"exception.type": "openai.NotFoundError"},
    }
    failed = chat(
        status="ERROR",
        end_reason="error",
        model="llama3.2",
        output_content=Content(),
        event_content=Content([event]),
        usage=Usage(input_tokens=1),
    )
    found = measured(failed, chat(status="CANCELLED", end_reason="cancelled"))
    one, two = found[DURATION.name]
    assert one.attributes == {**ASKED, **PLACE, "error.type": "openai.NotFoundError"}
    assert two.attributes == {**CALL, "error.type": "cancelled"}
    [point] = found[TOKENS.name]
    assert "error.type" not in point.attributes


def test_what_is_measured_later_is_added(measured):
    meter = Meter()
    measured(chat(1), meter=meter)
    [first] = meter.taken()
    measured(chat(2), meter=meter)
    [second] = meter.taken()
    assert (first.points[0].histogram.total, second.points[0].histogram.total) == (1.0, 3.0)
    assert first.start_ns == second.start_ns <= first.end_ns <= second.end_ns


def test_values_of_attributes_are_bounded(measured, monkeypatch):
    monkeypatch.setattr(meters, "_MOST", 3)
    names = ["a", "b", "x" * 10_000, "c", "d", "a"]
    records = [chat(model=name, attributes={"model_asked": name}) for name in names]
    points = measured(*records)[DURATION.name]
    assert [point.attributes.get("gen_ai.request.model") for point in points] == ["a", "b", None]
    assert points[-1].attributes == {"otel.metric.overflow": True}
    assert [point.histogram.count for point in points] == [2, 1, 3]
    [point] = measured(chat(attributes={"model_asked": "\ud800" + "x" * 10_000}))[DURATION.name]
    assert point.attributes["gen_ai.request.model"] == "\\ud800" + "x" * 249
