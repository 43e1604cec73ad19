"""The same of the asynchronous clients. Checked, not run."""

# Ollama's own `chat` takes functions of a type that it leaves open.
# pyright: reportUnknownMemberType=false

from collections.abc import AsyncIterator
from typing import assert_type

import ollama
import openai
from ollama import ChatResponse, EmbedResponse, GenerateResponse
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ParsedChatCompletion,
)
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from ollamatrace import TracedClient, span

messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
client = TracedClient(openai.AsyncOpenAI())
native = TracedClient(ollama.AsyncClient())


class Weather(BaseModel):
    sunny: bool


async def opened() -> None:
    async with TracedClient(openai.AsyncOpenAI()) as opened, span("agent", kind="AGENT") as agent:
        assert_type(opened, openai.AsyncOpenAI)
        answer = await opened.chat.completions.create(model="m", messages=messages)
        assert_type(answer, ChatCompletion)
        assert_type(agent.trace_id, str)
    async with TracedClient(openai.AsyncAzureOpenAI()) as azure:
        assert_type(azure, openai.AsyncAzureOpenAI)


async def chat_completions(*, stream: bool) -> None:
    create = client.chat.completions.create
    assert_type(await create(model="m", messages=messages), ChatCompletion)
    assert_type(await create(model="m", messages=messages, stream=False), ChatCompletion)
    chunks = await create(model="m", messages=messages, stream=True)
    assert_type(chunks, openai.AsyncStream[ChatCompletionChunk])
    async for chunk in chunks:
        assert_type(chunk, ChatCompletionChunk)
    either = await create(model="m", messages=messages, stream=stream)
    assert_type(either, ChatCompletion | openai.AsyncStream[ChatCompletionChunk])
    parse = client.chat.completions.parse
    parsed = await parse(model="m", messages=messages, response_format=Weather)
    assert_type(parsed, ParsedChatCompletion[Weather])
    async with client.chat.completions.stream(model="m", messages=messages) as events:
        final = await events.get_final_completion()
        assert_type(final.choices[0].message.content, str | None)


async def other_methods(*, stream: bool) -> None:
    complete = client.completions.create
    assert_type(await complete(model="m", prompt="Hi"), Completion)
    pieces = await complete(model="m", prompt="Hi", stream=True)
    assert_type(pieces, openai.AsyncStream[Completion])
    either = await complete(model="m", prompt="Hi", stream=stream)
    assert_type(either, Completion | openai.AsyncStream[Completion])
    respond = client.responses.create
    assert_type(await respond(model="m", input="Hi"), Response)
    events = await respond(model="m", input="Hi", stream=True)
    assert_type(events, openai.AsyncStream[ResponseStreamEvent])
    any_of_both = await respond(model="m", input="Hi", stream=stream)
    assert_type(any_of_both, Response | openai.AsyncStream[ResponseStreamEvent])
    embedded = await client.with_options(timeout=3).embeddings.create(model="m", input="Hi")
    assert_type(embedded, CreateEmbeddingResponse)


async def raw_responses() -> None:
    raw = await client.chat.completions.with_raw_response.create(model="m", messages=messages)
    assert_type(raw.parse(), ChatCompletion)
    view = client.chat.completions.with_streaming_response
    async with view.create(model="m", messages=messages) as response:
        assert_type(response, openai.AsyncAPIResponse[ChatCompletion])
        assert_type(await response.parse(), ChatCompletion)


async def ollamas() -> None:
    for_chat: list[dict[str, str]] = [{"role": "user", "content": "Hi"}]
    assert_type(await native.chat("m", for_chat), ChatResponse)
    assert_type(await native.chat("m", for_chat, stream=False), ChatResponse)
    parts = await native.chat("m", for_chat, stream=True)
    assert_type(parts, AsyncIterator[ChatResponse])
    assert_type(await native.generate("m", "Hi"), GenerateResponse)
    pieces = await native.generate("m", "Hi", stream=True)
    assert_type(pieces, AsyncIterator[GenerateResponse])
    assert_type(await native.embed("m", "Hi"), EmbedResponse)
