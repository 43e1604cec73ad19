"""Responses that the program reads itself are read as ever, and recorded as far as they are."""

from __future__ import annotations

import base64
import gzip
import json

import openai
import pytest
from openai import APIResponse, AsyncAPIResponse
from openai._legacy_response import LegacyAPIResponse
from openai.types.chat import ChatCompletion

from ollamatrace import Capture, TracedClient
from ollamatrace.testing import MemoryTracer
from tests.clients.endpoints_stub import COMPLETION
from tests.clients.http_library import openai_http
from tests.clients.raw_reads import GIVEN, HELLO, READS, SSE, joined, streaming, stubbed, text_of
from tests.clients.stubs import body, contains, done, entered, items, openai_clients
from tests.exchanges import arguments, load

TEXT = " The capital of France is Paris."
reads = pytest.mark.parametrize("read", READS.values(), ids=READS)


def events_of(name):
    [exchange] = load(name)["exchanges"]
    lines = exchange["response"]["body"]["text"].splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.fixture
async def pair(way, replay, tracer):
    """A bare client and a traced one on the same recording, and the arguments that it knows."""
    async with openai_clients(way) as make:

        async def start(name):
            server, capture = replay(name)
            bare = await make(server.url)
            traced = TracedClient(bare, tracer=tracer)
            return bare, traced, arguments(capture["exchanges"][0])

        yield start


@pytest.mark.parametrize(
    "read",
    [*READS.values(), lambda response: response.json(), lambda response: response.parse()],
    ids=[*READS, "json", "parse"],
)
async def test_a_whole_body(read, way, pair, tracer):
    bare, traced, given = await pair("ollama-v1/chat")
    got = []
    for client in (bare, traced):
        async with entered(streaming(client, **given)) as response:
            got.append(await done(read(response)))
    assert joined(got[1]) == joined(got[0])
    [record] = tracer.finished()
    assert record.name == ("Async" if way == "async" else "") + "Completions"
    assert record.inputs == given
    assert record.end_reason == "returned"
    assert record.usage.total_tokens == 21
    assert record.timing.chunks is None
    assert record.model == given["model"]
    answer = await done(bare.chat.completions.create(**given))
    assert record.outputs == answer.model_dump(mode="json")


@reads
@pytest.mark.parametrize("name", ["ollama-v1/chat_stream", "llamacpp-v1/chat_stream_usage"])
async def test_an_event_stream(read, name, pair, tracer):
    bare, traced, given = await pair(name)
    got = []
    for client in (bare, traced):
        async with entered(streaming(client, **given)) as response:
            got.append(await done(read(response)))
    assert joined(got[1]) == joined(got[0])
    [record] = tracer.finished()
    events = events_of(name)
    assert record.end_reason == "exhausted"
    assert text_of(record) == TEXT
    assert record.timing.chunks == len(events)
    assert [event["attributes"]["value"] for event in record.events] == events
    took = record.end_ns - record.start_ns
    assert 0 < record.timing.first_token_ns <= record.timing.first_answer_ns <= took
    counts = events[-1].get("usage")
    assert (record.usage and record.usage.total_tokens) == (counts and counts["total_tokens"])
    assert not record.warnings


async def test_parsed_to_a_stream(way, pair, tracer):
    bare, traced, given = await pair("ollama-v1/chat_stream")
    got = []
    for client in (bare, traced):
        async with entered(streaming(client, **given)) as response:
            stream = await done(response.parse())
            assert isinstance(stream, openai.Stream if way == "sync" else openai.AsyncStream)
            assert await done(response.parse()) is stream
            got.append(await items(stream))
    assert got[1] == got[0]
    [record] = tracer.finished()
    assert record.end_reason == "exhausted"
    assert text_of(record) == TEXT
    assert record.timing.chunks == len(got[0])


@pytest.mark.parametrize("stream", [False, True])
async def test_compressed(stream, way, tracer):
    plain = b"".join(HELLO) if stream else json.dumps(COMPLETION).encode()
    packed = gzip.compress(plain)
    reply = body(
        packed[:20],
        packed[20:],
        kind=SSE if stream else "application/json",
        **{"content-encoding": "gzip"},
    )
    client = stubbed(reply, way, tracer)
    async with entered(streaming(client, **GIVEN, stream=stream)) as response:
        assert await done(response.read()) == plain
    [record] = tracer.finished()
    if stream:
        assert text_of(record) == "Hello you"
    else:
        assert contains(record.outputs, COMPLETION)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "audio/mpeg"])
async def test_a_body_too_long_is_cut(kind, way):
    pieces = [b"x" * 70 for _ in range(10)]
    with MemoryTracer(capture=Capture(max_leaf_bytes=100)) as tracer:
        client = stubbed(body(*pieces, kind=kind), way, tracer)
        create = client.audio.speech.with_streaming_response.create
        async with entered(create(model="tts", voice="alloy", input="Hi")) as response:
            assert await done(response.read()) == b"".join(pieces)
        [record] = tracer.finished()
    assert record.warnings == ["of a body of 700 bytes only the first 100 are kept"]
    if kind == "audio/mpeg":
        assert record.outputs["content"] == base64.b64encode(b"x" * 100).decode()
    else:
        assert record.outputs == "x" * 100


async def test_speech_to_a_file(way, tmp_path, tracer):
    pieces = [b"ID3\xff", b"\xfb\0"]
    client = stubbed(body(*pieces, kind="audio/mpeg"), way, tracer)
    create = client.audio.speech.with_streaming_response.create
    async with entered(create(model="tts", voice="alloy", input="Hi")) as response:
        await done(response.stream_to_file(tmp_path / "speech.mp3"))
    assert (tmp_path / "speech.mp3").read_bytes() == b"".join(pieces)
    [record] = tracer.finished()
    assert record.name.endswith("Speech")
    assert record.end_reason == "returned"
    assert record.outputs == {"content_type": "audio/mpeg", "content": "SUQz//sA"}


async def test_legacy_stream(way, pair, tracer):
    bare, traced, given = await pair("ollama-v1/chat_stream")
    expected = await items(await done(bare.chat.completions.create(**given)))
    response = await done(traced.chat.completions.with_raw_response.create(**given))
    stream = response.parse()
    assert response.parse() is stream
    assert await items(stream) == expected
    [record] = tracer.finished()
    assert record.end_reason == "exhausted"
    assert text_of(record) == TEXT


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_response_is(stream, way, pair, tracer):
    bare, traced, given = await pair("ollama-v1/chat_stream" if stream else "ollama-v1/chat")
    seen = []
    for client in (bare, traced):
        async with entered(streaming(client, **given)) as one:
            legacy = await done(client.chat.completions.with_raw_response.create(**given))
            kind = APIResponse if way == "sync" else AsyncAPIResponse
            assert isinstance(one, kind)
            assert isinstance(legacy, LegacyAPIResponse)
            seen.append([look(response) for response in (one, legacy)])
            if stream:
                await items(legacy.parse())
    assert seen[1] == seen[0]
    assert len(tracer.finished()) == 2


def look(response):
    http = response.http_response
    assert isinstance(http, openai_http.Response)
    return (
        repr(response),
        type(response).__name__,
        type(response).__module__,
        {name: value for name, value in response.headers.items() if name != "date"},
        response.status_code,
        response.method,
        response.url,
        response.http_version,
        response.is_closed,
        response.retries_taken,
        response.request_id,
        dir(response),
        repr(http),
        type(http).__name__,
        http.headers["content-type"],
        dir(http),
    )


async def test_what_the_body_becomes(way, tracer):
    """The record has the shape that the SDK gives, whoever reads the bytes."""
    client = stubbed(body(json.dumps(COMPLETION).encode()), way, tracer)
    async with entered(streaming(client, **GIVEN)) as response:
        await done(response.read())
    [record] = tracer.finished()
    assert record.outputs == ChatCompletion.construct(**COMPLETION).model_dump(mode="json")
