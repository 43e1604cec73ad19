"""What a program posts by itself to an address that is traced."""

from __future__ import annotations

import json

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ollamatrace import TracedClient
from tests.clients.endpoints_stub import COMPLETION
from tests.clients.stubs import Stub, contains, done, items, plain
from tests.exchanges import arguments, load
from tests.expected import check_chunks

CHAT = arguments(load("ollama-v1/chat")["exchanges"][0])
STREAM = arguments(load("ollama-v1/chat_stream")["exchanges"][0])


ADDRESSES = ["/chat/completions", "chat/completions"]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("by_name", [False, True])
async def test_post(by_name, path, way, pair, tracer):
    bare, traced, _ = await pair("chat")
    model = {"model": CHAT["model"]}
    if by_name:
        rest = {key: value for key, value in CHAT.items() if key != "model"}
        given = {"path": path, "body": model, "options": {"extra_json": rest}}
    else:
        given = {"body": CHAT}
    args = () if by_name else (path,)
    expected = await done(bare.post(*args, **given, cast_to=ChatCompletion))
    got = await done(traced.post(*args, **given, cast_to=ChatCompletion))
    assert got == expected
    [record] = tracer.finished()
    assert record.name == ("Async" if way == "async" else "") + "Completions"
    assert record.kind == "CHAT_MODEL"
    assert record.inputs == CHAT
    assert record.end_reason == "returned"
    assert contains(plain(got), record.outputs)
    assert record.usage.total_tokens == 21


async def test_post_of_bytes(way, tracer):
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(way), tracer=tracer)
    content = json.dumps({"model": "m", "messages": []}).encode()
    await done(client.post("/chat/completions", cast_to=ChatCompletion, content=content))
    assert server.requests[-1].content == content
    [record] = tracer.finished()
    assert record.inputs == {"model": "m", "messages": []}


async def test_post_of_a_stream(way, pair, tracer):
    bare, traced, _ = await pair("chat_stream")
    kind = openai.Stream if way == "sync" else openai.AsyncStream
    given = {"body": STREAM, "stream": True, "stream_cls": kind[ChatCompletionChunk]}
    chunks = []
    for client in (bare, traced):
        stream = await done(client.post("/chat/completions", cast_to=ChatCompletionChunk, **given))
        assert isinstance(stream, kind)
        chunks.append(await items(stream))
    assert chunks[1] == chunks[0]
    [record] = tracer.finished()
    assert record.inputs == STREAM
    assert record.end_reason == "exhausted"
    check_chunks(record, [chunk.model_dump() for chunk in chunks[0]])


async def test_post_to_another_address_is_the_programs_own(way, pair, tracer):
    _, traced, _ = await pair("chat")
    with pytest.raises(openai.NotFoundError):
        await done(traced.post("/no/such/thing", cast_to=object, body={}))
    assert tracer.finished() == []
