"""The chunks of a stream are kept small and come back as they were."""

import zlib

import orjson
import pytest

from ollamatrace.records import SpanRecord
from tests.store.samples import TRACE, rows, span


def chunk(index, **more):
    value = {"model": "m", "message": {"content": f"word {index} ü", "thinking": None}, **more}
    attributes = {"index": index, "value": value}
    return {"name": "chunk", "time_ns": 1_700_000_000_000_000_000 + index, "attributes": attributes}


def event(name):
    return {"name": name, "time_ns": 5, "attributes": {"exception.message": "needle"}}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event("mine")],
        [chunk(0)],
        [chunk(index) for index in range(7)],
        [chunk(index) for index in range(8)],
        [chunk(index) for index in range(64)],
        [chunk(index) for index in range(65)],
        [chunk(index) for index in range(1000)],
        [event("first"), *(chunk(index) for index in range(300)), event("exception")],
        [*(chunk(index) for index in range(20)), event("mine"), *map(chunk, range(20, 40))],
        [chunk(index, big=2**63, small=1e-300, text="\u2028\x00") for index in range(20)],
    ],
    ids=len,
)
def test_they_come_back_as_they_were(store, events):
    written = span(events=events)
    store.write([written], experiment="e")
    [one] = store.get(TRACE).spans
    assert one.line() == written.line()
    assert one.events == events
    assert one.line() == written.line()


@pytest.fixture
def unpacked(monkeypatch):
    """Everything that is decompressed or parsed."""
    seen = []
    for module, name in ((zlib, "decompress"), (orjson, "loads")):
        monkeypatch.setattr(module, name, _noting(getattr(module, name), seen))
    return seen


def _noting(original, seen):
    def noted(data):
        seen.append(original(data))
        return seen[-1]

    return noted


def runs(unpacked):
    """How many of them are chunks."""
    return sum("word 42" in str(value) for value in unpacked)


def test_a_search_leaves_them_packed_until_they_are_looked_at(store, unpacked):
    events = [event("mine"), *(chunk(index) for index in range(50)), event("exception")]
    spans = [span(number, trace=number, events=events) for number in range(5)]
    store.write(spans, experiment="e")
    store.search("needle")  # indexes them
    found = [*store.search(), *store.search("needle"), *store.search("er")]
    assert len(found) == 10
    assert found[0].root.outputs is None
    assert unpacked
    assert runs(unpacked) == 0
    assert found[0].root.events == events
    assert found[0].root.events is found[0].root.events
    assert runs(unpacked) == 2  # decompressed, then parsed


def test_a_line_takes_them_without_parsing_them(store, unpacked):
    events = [chunk(index) for index in range(50)]
    store.write([span(events=events)], experiment="e")
    [one] = store.get(TRACE).spans
    unpacked.clear()
    line = one.line()
    assert runs(unpacked) == 1
    assert SpanRecord.from_line(line).events == events


def test_what_is_added_to_them_is_written(store):
    events = [chunk(index) for index in range(50)]
    store.write([span(events=events)], experiment="e")
    [one] = store.get(TRACE).spans
    one.line()
    one.events.append(event("late"))
    store.write([one], experiment="e")
    assert store.get(TRACE).spans[0].events == [*events, event("late")]


def test_a_long_stream_takes_little_room(store):
    store.write([span(events=[chunk(index) for index in range(5000)])], experiment="e")
    [(size,)] = rows(store.path, "SELECT sum(length(body)) FROM content")
    assert size < 5000 * 40


def test_an_exception_behind_them_is_found_and_they_are_not(store):
    events = [*(chunk(index) for index in range(100)), event("exception")]
    store.write([span(events=events)], experiment="e")
    for _ in range(2):  # looked at, then indexed
        assert len(store.search("needle")) == 1
        assert store.search("word 50") == []
