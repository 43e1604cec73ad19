"""What a type checker sees of a traced client: the client's own type. Checked, not run."""

# Ollama's own `chat` takes functions of a type that it leaves open.
# pyright: reportUnknownMemberType=false

from typing import Literal, assert_type

import ollama
import openai
from ollama import ChatResponse, EmbeddingsResponse, EmbedResponse, GenerateResponse
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ParsedChatCompletion,
)
from openai.types.responses import ParsedResponse, Response, ResponseStreamEvent
from pydantic import BaseModel

from ollamatrace import TracedClient, Tracer, tracer_of

messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


class Weather(BaseModel):
    sunny: bool


class Mine(openai.OpenAI):
    def ask(self) -> int:
        return 1


class MyOllama(ollama.AsyncClient):
    def ask(self) -> int:
        return 1


client = TracedClient(openai.OpenAI())
native = TracedClient(ollama.Client())
assert_type(client, openai.OpenAI)
assert_type(native, ollama.Client)
assert_type(TracedClient(openai.AsyncOpenAI(), name="mine"), openai.AsyncOpenAI)
assert_type(TracedClient(ollama.AsyncClient(), server="console:"), ollama.AsyncClient)
assert_type(TracedClient(ollama.Client(), server=["console:"], experiment="e"), ollama.Client)
assert_type(
    TracedClient(openai.OpenAI(), tracer=Tracer(), name="mine", include_usage=True), openai.OpenAI
)
assert_type(
    TracedClient(
        openai.AsyncOpenAI(),
        tracer=None,
        server=None,
        experiment=None,
        name=None,
        include_usage=False,
        propagate=True,
    ),
    openai.AsyncOpenAI,
)
assert_type(TracedClient(TracedClient(ollama.Client()), name="again"), ollama.Client)
assert_type(TracedClient(openai.AzureOpenAI(), name="azure"), openai.AzureOpenAI)
assert_type(TracedClient(openai.AsyncAzureOpenAI()), openai.AsyncAzureOpenAI)
assert_type(TracedClient(Mine()), Mine)
assert_type(TracedClient(Mine()).ask(), int)
assert_type(TracedClient(MyOllama()).ask(), int)
assert_type(tracer_of(client), Tracer | None)
assert_type(client.with_options(timeout=3), openai.OpenAI)
assert_type(client.copy(api_key="x"), openai.OpenAI)


with TracedClient(openai.OpenAI()) as opened:
    assert_type(opened, openai.OpenAI)


def chat_completions(*, stream: bool, yes: Literal[True]) -> None:
    create = client.chat.completions.create
    assert_type(create(model="m", messages=messages), ChatCompletion)
    assert_type(create(model="m", messages=messages, stream=False), ChatCompletion)
    chunks = create(model="m", messages=messages, stream=True)
    assert_type(chunks, openai.Stream[ChatCompletionChunk])
    always = create(model="m", messages=messages, stream=yes)
    assert_type(always, openai.Stream[ChatCompletionChunk])
    either = create(model="m", messages=messages, stream=stream)
    assert_type(either, ChatCompletion | openai.Stream[ChatCompletionChunk])
    parsed = client.chat.completions.parse(model="m", messages=messages, response_format=Weather)
    assert_type(parsed, ParsedChatCompletion[Weather])
    assert_type(parsed.choices[0].message.parsed, Weather | None)
    with client.chat.completions.stream(model="m", messages=messages) as events:
        for event in events:
            assert_type(event.type == "chunk", bool)
        assert_type(events.get_final_completion().choices[0].message.content, str | None)


def other_methods(*, stream: bool) -> None:
    complete = client.completions.create
    assert_type(complete(model="m", prompt="Hi"), Completion)
    assert_type(complete(model="m", prompt="Hi", stream=True), openai.Stream[Completion])
    assert_type(
        complete(model="m", prompt="Hi", stream=stream), Completion | openai.Stream[Completion]
    )
    respond = client.responses.create
    assert_type(respond(model="m", input="Hi"), Response)
    assert_type(respond(model="m", input="Hi", stream=False), Response)
    events = respond(model="m", input="Hi", stream=True)
    assert_type(events, openai.Stream[ResponseStreamEvent])
    either = respond(model="m", input="Hi", stream=stream)
    assert_type(either, Response | openai.Stream[ResponseStreamEvent])
    parsed = client.responses.parse(model="m", input="Hi", text_format=Weather)
    assert_type(parsed, ParsedResponse[Weather])
    assert_type(client.embeddings.create(model="m", input="Hi"), CreateEmbeddingResponse)


def raw_responses() -> None:
    raw = client.chat.completions.with_raw_response.create(model="m", messages=messages)
    assert_type(raw.parse(), ChatCompletion)
    assert_type(raw.status_code, int)
    of_client = client.with_raw_response.embeddings.create(model="m", input="Hi")
    assert_type(of_client.parse(), CreateEmbeddingResponse)
    view = client.chat.completions.with_streaming_response
    with view.create(model="m", messages=messages) as response:
        assert_type(response, openai.APIResponse[ChatCompletion])
        assert_type(response.parse(), ChatCompletion)


def ollamas() -> None:
    for_chat: list[dict[str, str]] = [{"role": "user", "content": "Hi"}]
    assert_type(native.chat("m", for_chat), ChatResponse)
    assert_type(native.chat("m", for_chat, stream=False), ChatResponse)
    for part in native.chat("m", for_chat, stream=True):
        assert_type(part, ChatResponse)
        assert_type(part.message.content, str | None)
    assert_type(native.generate("m", "Hi"), GenerateResponse)
    for piece in native.generate("m", "Hi", stream=True):
        assert_type(piece, GenerateResponse)
    assert_type(native.embed("m", "Hi"), EmbedResponse)
    assert_type(native.embeddings("m", "Hi"), EmbeddingsResponse)
