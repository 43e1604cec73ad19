"""What is done with LiteLLM."""

from __future__ import annotations

import json

from litellm import acompletion, completion, stream_chunk_builder
from pydantic import BaseModel

from tests.frameworks.script import BOTH, FAILING, QUESTION

MODEL = "openai/llama3.2:1b"


class City(BaseModel):
    name: str


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def _asked(question):
    return [{"role": "user", "content": question}]


def _results(message):
    calls = [(call.id, json.loads(call.function.arguments)) for call in message.tool_calls]
    results = [
        {"role": "tool", "tool_call_id": call_id, "content": f"Sunny in {given['city']}"}
        for call_id, given in calls
    ]
    return [message.model_dump(), *results]


def tool(made, question=QUESTION):
    messages = _asked(question)
    while True:
        answer = completion(MODEL, messages, tools=[TOOL], client=made.client)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content, answer.usage.total_tokens
        messages += _results(message)


def two_tools_at_once(made):
    return tool(made, BOTH)


async def tool_async(made):
    messages = _asked(QUESTION)
    while True:
        answer = await acompletion(MODEL, messages, tools=[TOOL], client=made.aclient)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content, answer.usage.total_tokens
        messages += _results(message)


def stream(made):
    chunks = list(completion(MODEL, _asked(QUESTION), stream=True, client=made.client))
    return len(chunks), stream_chunk_builder(chunks).choices[0].message.content


async def stream_async(made):
    stream = await acompletion(MODEL, _asked(QUESTION), stream=True, client=made.aclient)
    chunks = [chunk async for chunk in stream]
    return len(chunks), stream_chunk_builder(chunks).choices[0].message.content


def structured(made):
    answer = completion(MODEL, _asked(QUESTION), response_format=City, client=made.client)
    return answer.choices[0].message.content


def error(made):
    return completion(MODEL, _asked(FAILING), client=made.client)


async def error_async(made):
    return await acompletion(MODEL, _asked(FAILING), client=made.aclient)


def error_in_stream(made):
    return list(completion(MODEL, _asked(FAILING), stream=True, client=made.client))


SCENARIOS = (
    tool,
    tool_async,
    two_tools_at_once,
    stream,
    stream_async,
    structured,
    error,
    error_async,
    error_in_stream,
)
