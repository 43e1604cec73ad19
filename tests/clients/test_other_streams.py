"""Streams that are not the SDK's own: what tests return, what other tracers put in between."""

from __future__ import annotations

import gc
from unittest import mock

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from ollamatrace import TracedClient
from tests.clients.stubs import Stub, done, event_stream, items, step
from tests.exchanges import arguments, load

GIVEN = arguments(load("ollama-v1/chat_stream")["exchanges"][0])
HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHUNKS = [
    {**HEAD, "choices": [{"index": 0, "delta": {"content": "Hel"}}]},
    {**HEAD, "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
    {**HEAD, "choices": [], "usage": USAGE},
]


class Proxy:
    """As the library `wrapt` makes them: an object that says it is of another class."""

    def __init__(self, inner):
        object.__setattr__(self, "_inner", inner)

    __class__ = property(lambda self: self._inner.__class__)

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __setattr__(self, name, value):
        setattr(self._inner, name, value)


class SyncProxy(Proxy):
    def __iter__(self):
        return self

    def __next__(self):
        return next(self._inner)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._inner.close()


class AsyncProxy(Proxy):
    def __aiter__(self):
        return self

    async def __anext__(self):
        return await anext(self._inner)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._inner.close()


@pytest.fixture
def proxied(way, tracer, monkeypatch):
    """A traced client below which another tracer puts its proxies; makes a stream."""
    bare = Stub([event_stream(*CHUNKS)]).openai(way)
    kind = type(bare.chat.completions)
    original = kind.create
    if way == "sync":

        def create(self, **given):
            return SyncProxy(original(self, **given))
    else:

        async def create(self, **given):
            return AsyncProxy(await original(self, **given))

    monkeypatch.setattr(kind, "create", create)

    async def make(**options):
        client = TracedClient(bare, tracer=tracer, **options)
        return await done(client.chat.completions.create(**GIVEN))

    return make


def text(record):
    return record.outputs["choices"][0]["message"]["content"]


async def test_a_proxy_is_read_to_its_end(proxied, tracer):
    stream = await proxied()
    assert isinstance(stream, openai.Stream | openai.AsyncStream)
    assert stream.response.status_code == 200
    assert len(await items(stream)) == 3
    [record] = tracer.finished()
    assert (record.status, record.end_reason, text(record)) == ("OK", "exhausted", "Hello")
    assert record.usage.output_tokens == 2


async def test_a_proxy_is_left(proxied, way, tracer):
    if way == "sync":
        with await proxied() as stream:
            next(stream)
    else:
        async with await proxied() as stream:
            await anext(stream)
    [record] = tracer.finished()
    assert (record.end_reason, text(record), record.timing.chunks) == ("closed", "Hel", 1)


async def test_a_proxy_is_closed(proxied, tracer):
    stream = await proxied()
    await step(stream)
    await done(stream.close())
    [record] = tracer.finished()
    assert (record.end_reason, record.timing.chunks) == ("closed", 1)


async def test_a_proxy_is_dropped(proxied, tracer):
    await step(await proxied())
    gc.collect()
    [record] = tracer.finished()
    assert (record.end_reason, record.timing.chunks) == ("abandoned", 1)


async def test_a_proxy_hides_the_counts(proxied, tracer):
    assert len(await items(await proxied(include_usage=True))) == 2
    [record] = tracer.finished()
    assert record.usage.output_tokens == 2


async def test_a_proxy_that_fails(proxied, tracer):
    stream = await proxied()
    stream._iterator = None
    with pytest.raises(AttributeError):
        await step(stream)
    [record] = tracer.finished()
    assert record.status == "ERROR"


def test_an_iterator_that_a_test_returns(openai_client, tracer):
    traced = TracedClient(openai_client("ollama-v1/chat_stream"), tracer=tracer)
    chunks = [ChatCompletionChunk.model_validate(chunk) for chunk in CHUNKS]
    create = "openai.resources.chat.completions.Completions.create"
    with mock.patch(create, return_value=iter(chunks)):
        assert list(traced.chat.completions.create(**GIVEN)) == chunks
    [record] = tracer.finished()
    assert (record.end_reason, text(record)) == ("exhausted", "Hello")


def pieces_of_calls():
    def chunk(**call):
        delta = {"tool_calls": [{"index": 0, **call}]}
        return {**HEAD, "choices": [{"index": 0, "delta": delta}]}

    yield chunk(id="1", type="function", function={"name": "f", "arguments": '{"city"'})
    for text in (': "Par', 'is"}'):
        yield chunk(function={"arguments": text})
    yield {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


async def test_a_program_that_puts_tool_calls_together_in_the_first_of_them(way, tracer):
    """As OpenAI's guide to function calling has it."""
    client = TracedClient(Stub([event_stream(*pieces_of_calls())]).openai(way), tracer=tracer)
    tools = [{"type": "function", "function": {"name": "f"}}]
    stream = await done(client.chat.completions.create(**GIVEN, tools=tools))
    calls = {}
    for chunk in await items(stream):
        for call in chunk.choices[0].delta.tool_calls or []:
            if call.index in calls:
                calls[call.index].function.arguments += call.function.arguments
            else:
                calls[call.index] = call
    assert calls[0].function.arguments == '{"city": "Paris"}'
    [record] = tracer.finished()
    [call] = record.outputs["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": '{"city": "Paris"}'}
    first = record.events[0]["attributes"]["value"]["choices"][0]["delta"]["tool_calls"][0]
    assert first["function"]["arguments"] == '{"city"'


async def test_a_program_that_puts_a_response_together_in_its_first_item(way, tracer):
    item = {"type": "message", "id": "i", "content": [{"type": "output_text", "text": ""}]}
    created = {"id": "r", "status": "in_progress", "output": []}
    events = [
        {"type": "response.created", "response": created},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"},
    ]
    client = TracedClient(Stub([event_stream(*events)]).openai(way), tracer=tracer)
    stream = await done(client.responses.create(model="m", input="Hi", stream=True))
    created, added, delta = await items(stream)
    added.item.content[0].text += delta.delta
    created.response.output.append(added.item)
    [record] = tracer.finished()
    assert record.outputs["output"][0]["content"][0]["text"] == "Hi"
    assert "finish_reason" not in record.attributes
