"""What a type checker sees of a traced client: the client's own type. Checked, not run."""

from typing import assert_type

import ollama
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

from ollamatrace import TracedClient, Tracer, span, tracer_of

messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]

client = TracedClient(openai.OpenAI())
assert_type(client, openai.OpenAI)
assert_type(client.chat.completions.create(model="m", messages=messages), ChatCompletion)
assert_type(
    client.chat.completions.create(model="m", messages=messages, stream=True),
    openai.Stream[ChatCompletionChunk],
)
assert_type(TracedClient(openai.AzureOpenAI(), name="azure"), openai.AzureOpenAI)
assert_type(TracedClient(ollama.Client()), ollama.Client)
assert_type(TracedClient(ollama.AsyncClient(), server="console:"), ollama.AsyncClient)
assert_type(tracer_of(client), Tracer | None)

with TracedClient(openai.OpenAI()) as opened:
    assert_type(opened, openai.OpenAI)


async def asynchronous() -> None:
    async with TracedClient(openai.AsyncOpenAI()) as opened, span("agent", kind="AGENT") as agent:
        assert_type(opened, openai.AsyncOpenAI)
        answer = await opened.chat.completions.create(model="m", messages=messages)
        assert_type(answer, ChatCompletion)
        assert_type(agent.trace_id, str)
