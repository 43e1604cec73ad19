"""Each chunk of a stream is an event of its span."""

from __future__ import annotations

import ollama
import pytest

from ollamatrace import Capture, TracedClient, Tracer, span
from ollamatrace.clients import chunks
from ollamatrace.clients.chunks import ChunkEvents
from ollamatrace.store import Store
from ollamatrace.testing import MemoryTracer
from tests.exchanges import arguments, load
from tests.expected import check_chunks

LINE = '{{"model":"m","message":{{"role":"assistant","content":"{}"}},"done":{}}}\n'
NATIVE = arguments(load("ollama-native/chat_stream")["exchanges"][0])


def lines(count):
    return [*(LINE.format(f"{n} ", "false") for n in range(count - 1)), LINE.format("", "true")]


def stream_of(bare, tracer):
    return TracedClient(bare, tracer=tracer).chat(model="m", messages=[], stream=True)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 129, 300])
def test_every_chunk_in_its_order(replay_lines, tracer, count):
    received = [chunk.model_dump() for chunk in stream_of(replay_lines(lines(count)), tracer)]
    [record] = tracer.finished()
    assert len(received) == count
    check_chunks(record, received)
    record.line()


def test_they_are_the_programs_own_business_too(replay_lines, tracer):
    """The answer is put together from the same values: neither may change the other."""
    stream = list(stream_of(replay_lines(lines(5)), tracer))
    [record] = tracer.finished()
    record.outputs["message"]["content"] = "changed"
    assert record.events[1]["attributes"]["value"]["message"]["content"] == "1 "
    assert stream[1].message.content == "1 "


def test_an_error_comes_last(replay_lines, tracer):
    stream = stream_of(replay_lines([*lines(3)[:2], '{"error":"out of memory"}\n']), tracer)
    with pytest.raises(ollama.ResponseError):
        list(stream)
    [record] = tracer.finished()
    assert [event["name"] for event in record.events] == ["chunk", "chunk", "exception"]


def test_the_programs_own_events_come_first(replay_lines, tracer):
    stream = stream_of(replay_lines(lines(2)), tracer)
    stream._listener.event("mine")
    list(stream)
    [record] = tracer.finished()
    assert [event["name"] for event in record.events] == ["mine", "chunk", "chunk"]


def test_what_is_seen_of_a_stream_that_is_closed(replay_lines, tracer):
    stream = stream_of(replay_lines(lines(5)), tracer)
    seen = [next(stream).model_dump(), next(stream).model_dump()]
    stream.close()
    [record] = tracer.finished()
    check_chunks(record, seen)


def test_no_stream_no_chunks(ollama_client, tracer):
    given = arguments(load("ollama-native/chat")["exchanges"][0])
    TracedClient(ollama_client("ollama-native/chat"), tracer=tracer).chat(**given)
    with span("mine"):
        pass
    assert [record.events for record in tracer.finished()] == [[], []]


def test_switched_off(ollama_client):
    with MemoryTracer(capture=Capture(stream_events=False)) as tracer:
        list(TracedClient(ollama_client("ollama-native/chat_stream"), tracer=tracer).chat(**NATIVE))
        [record] = tracer.finished()
    assert record.events == []
    assert record.timing.chunks == 8
    assert record.outputs["message"]["content"] == " The capital of France is Paris."


def test_a_very_long_stream(replay_lines, tracer, monkeypatch):
    monkeypatch.setattr(chunks, "MOST_EVENTS", 100)
    received = list(stream_of(replay_lines(lines(201)), tracer))
    [record] = tracer.finished()
    check_chunks(record, [chunk.model_dump() for chunk in received[:100]])
    assert record.timing.chunks == 201
    assert record.warnings == ["of 201 chunks only the first 100 are kept as events"]


def test_a_long_text_in_one_is_cut(replay_lines):
    with MemoryTracer(capture=Capture(max_leaf_bytes=64)) as tracer:
        list(stream_of(replay_lines([LINE.format("x" * 100, "false"), *lines(1)]), tracer))
        [record] = tracer.finished()
    first, last = (event["attributes"]["value"]["message"]["content"] for event in record.events)
    assert (first, last) == ("x" * 64 + "…", "")
    assert "a text of 100 characters was cut to 64" in record.warnings


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"n": 2**70}, {"n": str(2**70)}),
        ({"t": "\ud83d"}, {"t": "\\ud83d"}),
        ("text", "text"),
    ],
)
def test_values_that_json_does_not_know(value, kept, tracer):
    events = ChunkEvents(1000)
    events.add([(1, value), (2, {"good": 1})])
    with span("a"):
        pass
    [record] = tracer.finished()
    events.give(record)
    assert [event["attributes"]["value"] for event in record.events] == [kept, {"good": 1}]
    record.line()


def test_they_count_as_bytes(replay_lines, tracer):
    stream = stream_of(replay_lines(lines(200)), tracer)
    call = stream._listener
    for _ in range(100):
        next(stream)
    assert call._size() >= 100 * 1138  # as measured for such a chunk
    list(stream)
    assert call._size() >= 200 * 1138


def test_the_store_gives_them_back(replay_lines, tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        received = [chunk.model_dump() for chunk in stream_of(replay_lines(lines(100)), tracer)]
        assert tracer.flush().delivered == 1
    store = Store(tmp_path / "x.db")
    [trace] = store.search()
    store.close()
    check_chunks(trace.root, received)
