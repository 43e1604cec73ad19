"""Spans in the names of OpenInference."""

from __future__ import annotations

import json

import pytest

from ollamatrace.destinations.otlp.openinference import openinference_attributes
from ollamatrace.records import Content, Usage
from tests.destinations.mlflow.samples import call, span
from tests.destinations.otlp.test_genai import openai_call
from tests.destinations.otlp.test_parts import PNG


def made(record):
    known = openinference_attributes(record)
    return {key: value for key, value in known.items() if value is not None}


def test_a_chat_with_ollama():
    record = call(usage=Usage(5, 7, 12, 2, 3), tags={"env": "dev"}, metadata={"m": "v"})
    known = made(record)
    message = "llm.output_messages.0.message"
    expected = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "llama3.2:1b",
        "llm.request.model_name": "llama3.2",
        "llm.response.model_name": "llama3.2:1b",
        "llm.provider": "ollama",
        "llm.finish_reason": "stop",
        "llm.token_count.prompt": 5,
        "llm.token_count.completion": 7,
        "llm.token_count.total": 12,
        "llm.token_count.prompt_details.cache_read": 2,
        "llm.token_count.completion_details.reasoning": 3,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": 'Say "hi", 日本',
        f"{message}.role": "assistant",
        f"{message}.contents.0.message_content.type": "reasoning",
        f"{message}.contents.0.message_content.text": "hm",
        f"{message}.contents.1.message_content.text": "Hi",
        f"{message}.tool_calls.0.tool_call.function.name": "f",
        f"{message}.tool_calls.0.tool_call.function.arguments": '{"a":[1,null]}',
        "input.value": record.inputs,
        "input.mime_type": "application/json",
        "output.value": record.outputs,
        "metadata": {"m": "v"},
        "tag.tags": ["env:dev"],
        "session.id": "s-1",
        "user.id": "alice",
        "ollamatrace.end_reason": "returned",
    }
    assert known.items() >= expected.items()
    parameters = json.loads(known["llm.invocation_parameters"])
    assert parameters == {"stream": True, "options": {"num_ctx": 4096, "temperature": 0.5}}
    assert not [key for key in known if key.startswith("gen_ai.")]


def test_images_tools_and_system_instructions():
    tool = {"type": "function", "function": {"name": "f"}}
    record = openai_call({"prompt": "What?", "system": "Brief", "images": [PNG]}, None, kind="LLM")
    known = made(record)
    assert known["llm.input_messages.0.message.role"] == "system"
    assert known["llm.input_messages.0.message.content"] == "Brief"
    part = "llm.input_messages.1.message.contents"
    assert known[f"{part}.0.message_content.text"] == "What?"
    assert known[f"{part}.1.message_content.type"] == "image"
    assert known[f"{part}.1.message_content.image.image.url"] == f"data:image/png;base64,{PNG}"
    messages = [
        {"role": "tool", "tool_call_id": "c", "content": {"a": 1}},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/a"}}]},
        {"role": "user", "content": [{"type": "other", "x": 1}]},
    ]
    known = made(openai_call({"messages": messages, "tools": [tool]}, None))
    assert json.loads(known["llm.tools.0.tool.json_schema"]) == tool
    assert known["llm.input_messages.0.message.tool_call_id"] == "c"
    assert known["llm.input_messages.0.message.content"] == '{"a":1}'
    url = "llm.input_messages.1.message.contents.0.message_content.image.image.url"
    assert known[url] == "http://x/a"
    other = known["llm.input_messages.2.message.contents.0.message_content.text"]
    assert json.loads(other) == {"type": "other", "x": 1}


@pytest.mark.parametrize(
    "outputs",
    [
        {"embeddings": [[0.5], [1.5]]},
        {"data": [{"embedding": [0.5]}, {"embedding": [1.5]}]},
    ],
)
def test_embeddings(outputs):
    known = made(openai_call({"model": "m", "input": ["a", "b"]}, outputs, kind="EMBEDDING"))
    place = "embedding.embeddings"
    assert known["openinference.span.kind"] == "EMBEDDING"
    assert known["embedding.model_name"] == "m"
    assert [known[f"{place}.{n}.embedding.text"] for n in (0, 1)] == ["a", "b"]
    assert [known[f"{place}.{n}.embedding.vector"] for n in (0, 1)] == [[0.5], [1.5]]


def test_one_embedding():
    known = made(openai_call({"prompt": "a"}, {"embedding": [0.5]}, kind="EMBEDDING"))
    assert known["embedding.embeddings.0.embedding.text"] == "a"
    assert known["embedding.embeddings.0.embedding.vector"] == [0.5]


@pytest.mark.parametrize(
    ("kind", "shown", "name"),
    [
        ("TOOL", "TOOL", "tool.name"),
        ("AGENT", "AGENT", "agent.name"),
        ("RETRIEVER", "RETRIEVER", None),
        ("UNKNOWN", "CHAIN", None),
        ("made up", "CHAIN", None),
    ],
)
def test_manual_spans(kind, shown, name):
    known = made(span(kind=kind))
    assert known["openinference.span.kind"] == shown
    assert known["input.value"] == {"question": "Why?"}
    assert (known["output.value"], known["output.mime_type"]) == ("Because.", "text/plain")
    assert name is None or known[name] == "step"


def test_a_manual_span_with_a_model():
    known = made(span(kind="LLM", model="m", output_content=Content()))
    assert known["llm.model_name"] == "m"
    assert "llm.response.model_name" not in known
