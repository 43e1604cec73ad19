"""Programs that do what one would not expect, and get what the bare client gives them."""

from __future__ import annotations

import inspect
import os
import threading

import ollama
import openai
import pytest

from ollamatrace import TracedClient
from ollamatrace.clients.event_stream import EventStream
from ollamatrace.testing import MemoryTracer
from tests.clients.endpoints_stub import COMPLETION, MESSAGES
from tests.clients.inprocess import KINDS, LONG, ask, got, make, step
from tests.clients.stubs import Stub, done

GIVEN = {"model": "m", "messages": MESSAGES}
LINES = [
    '{"model":"m","message":{"role":"assistant","content":"one"},"done":false}\n',
    '{"model":"m","message":{"role":"assistant","content":" two"},"done":true}\n',
]


def test_a_second_reader_is_turned_away_and_the_first_goes_on(replay_lines, tracer, monkeypatch):
    reading, go_on = threading.Event(), threading.Event()
    bare = replay_lines(LINES)
    lines = bare._client.stream

    def slowly(*args, **kwargs):
        reading.set()
        assert go_on.wait(20)
        return lines(*args, **kwargs)

    monkeypatch.setattr(bare._client, "stream", slowly)
    stream = TracedClient(bare, tracer=tracer).chat(model="m", messages=[], stream=True)
    chunks = []
    first = threading.Thread(target=lambda: chunks.extend(stream))
    first.start()
    assert reading.wait(20)
    with pytest.raises(ValueError, match="already executing"):
        next(stream)
    with pytest.raises(ValueError, match="already executing"):
        stream.close()
    go_on.set()
    first.join()
    assert len(chunks) == 2
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "exhausted")
    assert record.outputs["message"]["content"] == "one two"


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_kept_of_a_stream_that_nobody_records_any_more(kind):
    with MemoryTracer() as tracer:
        stream = await got(ask(TracedClient(make(kind), tracer=tracer))(**LONG, stream=True))
        listener = getattr(stream, "_ollamatrace", None) or stream._listener
        await step(stream)
        tracer.close()
        for _ in range(69):
            await step(stream)
        assert len(listener._parts) < 64


def test_copies_by_a_subclass_are_traced_once(tracer):
    class Mine(openai.OpenAI):
        def with_options(self, **options):
            return self.copy(**options)

    class Same(openai.OpenAI):
        def copy(self, **_options):
            return self

    class Nothing(openai.OpenAI):
        def copy(self, **_options):
            return None

    server = Stub([COMPLETION])
    for kind in (Mine, Same):
        bare = server.openai(kind=kind, base_url="http://stub/v1")
        copied = TracedClient(bare, tracer=tracer).with_options(max_retries=0)
        copied.chat.completions.create(**GIVEN)
        assert len(tracer.finished()) == 1
    bare = server.openai(kind=Nothing, base_url="http://stub/v1")
    assert TracedClient(bare, tracer=tracer).copy() is None


class Helper:
    __slots__ = ("_client", "count")

    def __init__(self, client, count):
        self._client = client
        self.count = count


def test_what_a_subclass_holds_beside_the_sdks_resources_stays_as_it_is(tracer):
    class Mine(openai.OpenAI):
        def __init__(self, **options):
            super().__init__(**options)
            self.helper = Helper(self, 5)

    bare = Stub([COMPLETION]).openai(kind=Mine, base_url="http://stub/v1")
    traced = TracedClient(bare, tracer=tracer)
    assert traced.helper is bare.helper
    assert traced.helper.count == 5


def test_a_pipe_as_image_is_left_to_the_client(replay, tracer, tmp_path):
    os.mkfifo(tmp_path / "image")
    server, _ = replay("ollama-native/chat")
    client = TracedClient(ollama.Client(host=server.url), tracer=tracer)
    written = threading.Thread(target=(tmp_path / "image").write_bytes, args=(b"PNG",))
    written.start()
    message = {"role": "user", "content": "Hi", "images": [tmp_path / "image"]}
    with client._client:
        client.chat("gemma3:270m", [message])
    written.join()
    assert server.requests[0].json["messages"][0]["images"] == ["UE5H"]
    [record] = tracer.finished()
    assert record.inputs["messages"][0]["images"] == [str(tmp_path / "image")]


@pytest.mark.parametrize("asked", [True, False])
async def test_options_of_a_stream_in_the_extra_body_count(asked, tracer):
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(), tracer=tracer, include_usage=True)
    more = {"stream_options": {"include_usage": asked}}
    list(client.chat.completions.create(**GIVEN, stream=True, extra_body=more))
    assert server.sent["stream_options"] == {"include_usage": asked}
    [record] = tracer.finished()
    assert "stream_options" not in record.inputs
    assert record.inputs["extra_body"] == more


def test_what_a_library_put_in_the_place_of_an_answer_is_not_cut_short(tracer):
    bare = Stub([COMPLETION]).openai()
    bare.chat.completions.create = lambda **_given: {"city": "Paris"}
    TracedClient(bare, tracer=tracer).chat.completions.create(**GIVEN)
    [record] = tracer.finished()
    assert (record.end_reason, record.warnings) == ("returned", [])


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_method_is_asynchronous_where_the_sdks_own_is(way, tracer):
    bare = Stub([COMPLETION]).openai(way)
    own, traced = bare.chat.completions.create, TracedClient(bare, tracer=tracer)
    for method in (own, traced.chat.completions.create):
        assert inspect.iscoroutinefunction(method.__wrapped__) == (way == "async")


async def test_a_call_inside_of_another_calls_request_is_a_call(tracer):
    server = Stub([COMPLETION])
    bare = server.openai("async")
    client = TracedClient(bare, tracer=tracer)
    moderated = []

    async def moderate(_request):
        if not moderated:
            moderated.append(True)
            await done(client.chat.completions.create(**{**GIVEN, "model": "inner"}))

    bare._client.event_hooks["request"].append(moderate)
    await client.chat.completions.create(**GIVEN)
    inner, outer = tracer.finished()
    assert (inner.inputs["model"], outer.inputs["model"]) == ("inner", "m")
    assert inner.parent_id == outer.span_id


def test_a_long_event_in_many_pieces():
    """Were each piece searched with all before it, this would take hours."""
    events = EventStream()
    for _ in range(1_000_000):
        assert events.feed(b" ") == []
    assert events.feed(b"\ndata: 1\n\n") == [1]
