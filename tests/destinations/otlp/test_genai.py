"""Spans in the names of OpenTelemetry's conventions."""

from __future__ import annotations

import pytest

from ollamatrace.destinations.otlp.genai import genai_attributes, genai_name
from ollamatrace.records import Content, Timing, Usage
from tests.destinations.mlflow.samples import call, span


def made(record):
    return {key: value for key, value in genai_attributes(record).items() if value is not None}


def openai_call(inputs, outputs, **fields):
    usual = {"name": "Completions", "provider": "openai", "model": "m", "kind": "CHAT_MODEL"}
    content = {"input_content": Content(inputs), "output_content": Content(outputs)}
    return span(**{**usual, **content, **fields})


def test_a_chat_with_ollama():
    record = call(
        attributes={"finish_reason": "stop", "model_asked": "llama3.2", "mine": 1},
        timing=Timing(first_token_ns=500_000_000, first_answer_ns=10**9, chunks=2, eval_ns=8),
        usage=Usage(5, 7, 12, 2, 3),
        tags={"env": "dev"},
    )
    assert genai_name(record) == "chat llama3.2"
    assert made(record) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "llama3.2",
        "gen_ai.response.model": "llama3.2:1b",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "gen_ai.conversation.id": "s-1",
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": 'Say "hi", 日本'}]}
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm"},
                    {"type": "text", "content": "Hi"},
                    {"type": "tool_call", "id": None, "name": "f", "arguments": {"a": [1, None]}},
                ],
                "finish_reason": "stop",
            }
        ],
        "ollama.done_reason": "stop",
        "ollama.eval_duration": 8,
        "ollama.request.num_ctx": 4096,
        "ollamatrace.chunks": 2,
        "ollamatrace.end_reason": "returned",
        "ollamatrace.kind": "CHAT_MODEL",
        "ollamatrace.metadata.m": "v",
        "ollamatrace.name": "Chat",
        "ollamatrace.response": {"done": True},
        "ollamatrace.tag.env": "dev",
        "ollamatrace.time_to_first_answer": 1.0,
        "ollamatrace.warnings": ["cut"],
        "session.id": "s-1",
        "user.id": "alice",
        "mine": 1,
    }


REQUEST = {
    "max_tokens": (5, "max_tokens", 5),
    "max_completion_tokens": (5, "max_tokens", 5),
    "max_output_tokens": (5, "max_tokens", 5),
    "temperature": (0, "temperature", 0.0),
    "top_p": (0.5, "top_p", 0.5),
    "top_k": (40, "top_k", 40),
    "frequency_penalty": (1, "frequency_penalty", 1.0),
    "presence_penalty": (-1, "presence_penalty", -1.0),
    "stop": ("x", "stop_sequences", ["x"]),
    "seed": (7, "seed", 7),
    "n": (2, "choice.count", 2),
    "stream": (False, "stream", False),
}


@pytest.mark.parametrize("argument", REQUEST)
def test_arguments_of_openai(argument):
    given, name, value = REQUEST[argument]
    known = made(openai_call({"messages": [], argument: given}, None))
    assert known[f"gen_ai.request.{name}"] == value
    assert type(known[f"gen_ai.request.{name}"]) is type(value)
    assert "ollamatrace.request" not in known


def test_arguments_of_ollama():
    options = {"num_predict": 5, "top_k": 40, "stop": ["a", "b"], "num_ctx": 10, "min_p": 0.1}
    inputs = {"model": "m", "prompt": "Why?", "options": options, "keep_alive": "5m", "raw": True}
    known = made(call(kind="LLM", input_content=Content(inputs), output_content=Content()))
    assert known["gen_ai.request.max_tokens"] == 5
    assert known["gen_ai.request.stop_sequences"] == ["a", "b"]
    assert known["ollama.keep_alive"] == "5m"
    assert known["ollama.request.num_ctx"] == 10
    assert known["ollamatrace.request"] == {"raw": True, "options": {"min_p": 0.1}}


@pytest.mark.parametrize(
    ("inputs", "form"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "json"),
        ({"response_format": {"type": "text"}}, "text"),
        ({"format": "json"}, "json"),
        ({"format": {"type": "object", "properties": {}}}, "json"),
        ({"format": ""}, None),
        ({"n": 1}, None),
    ],
)
def test_the_form_that_is_asked_for(inputs, form):
    known = made(openai_call({"messages": [], **inputs}, None))
    assert known.get("gen_ai.output.type") == form
    assert "gen_ai.request.choice.count" not in known


def test_several_choices_and_what_has_no_name():
    choices = [
        {"message": {"role": "assistant", "content": "a"}, "finish_reason": "tool_calls"},
        {
            "message": {"role": "assistant", "content": "b"},
            "finish_reason": None,
            "logprobs": {"x": 1},
        },
    ]
    answer = {
        "id": "c-1",
        "model": "m",
        "object": "o",
        "choices": choices,
        "created": 5,
        "usage": {},
    }
    record = openai_call({"messages": [], "user": "u"}, answer, end_reason="closed")
    known = made(record)
    assert known["gen_ai.response.id"] == "c-1"
    assert known["gen_ai.response.finish_reasons"] == ["tool_calls"]
    messages = known["gen_ai.output.messages"]
    assert [one["finish_reason"] for one in messages] == ["tool_call", "closed"]
    assert known["ollamatrace.request"] == {"user": "u"}
    assert known["ollamatrace.response"] == {"created": 5, "logprobs": [None, {"x": 1}]}


def test_tools():
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    tools = [{"type": "function", "function": function}, {"type": "function", **function}]
    known = made(openai_call({"messages": [], "tools": tools}, None))
    assert known["gen_ai.tool.definitions"] == [{"type": "function", **function}] * 2


@pytest.mark.parametrize(
    ("inputs", "outputs", "system", "asked", "answered"),
    [
        (
            {"prompt": "Why?", "system": "Be brief", "images": ["a.png"]},
            {"response": "So.", "thinking": "hm"},
            "Be brief",
            ["Why?", "a.png"],
            ["hm", "So."],
        ),
        ({"prompt": ["a", "b"]}, {"choices": [{"text": "c"}]}, None, ["a", "b"], ["c"]),
        (
            {"input": "Why?", "instructions": "Be brief"},
            {
                "output": [
                    {"type": "reasoning", "summary": [{"text": "hm"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "So."}]},
                ]
            },
            "Be brief",
            ["Why?"],
            ["hm", "So."],
        ),
        (
            {"prompt": "A cat"},
            {"data": [{"url": "http://x/cat.png"}]},
            None,
            ["A cat"],
            ["http://x/cat.png"],
        ),
    ],
)
def test_what_is_no_chat(inputs, outputs, system, asked, answered):
    known = made(openai_call(inputs, outputs, kind="LLM"))

    def texts(parts):
        return [part.get("content") or part["uri"] for part in parts]

    assert texts(known.get("gen_ai.system_instructions", [])) == ([system] if system else [])
    assert [t for one in known["gen_ai.input.messages"] for t in texts(one["parts"])] == asked
    [answer] = known["gen_ai.output.messages"]
    assert (answer["role"], texts(answer["parts"])) == ("assistant", answered)
    assert "ollamatrace.request" not in known
    assert "ollamatrace.response" not in known


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "name"),
    [
        ("CHAT_MODEL", {"messages": []}, None, "chat m"),
        ("LLM", {"prompt": "a"}, {"choices": []}, "text_completion m"),
        ("LLM", {"prompt": "a"}, {"data": []}, "generate_content m"),
        ("LLM", {"input": "a"}, None, "generate_content m"),
        ("EMBEDDING", {"input": "a"}, None, "embeddings m"),
        ("TASK", {"model": "m"}, None, "Completions"),
    ],
)
def test_names_of_calls(kind, inputs, outputs, name):
    assert genai_name(openai_call(inputs, outputs, kind=kind)) == name


def test_a_call_without_a_model_keeps_its_name():
    assert genai_name(openai_call({}, None, model=None)) == "Completions"


@pytest.mark.parametrize(
    "outputs",
    [
        {"embeddings": [[0.5, 1.5, 2.5]]},
        {"embedding": [0.5, 1.5, 2.5]},
        {"data": [{"embedding": [0.5, 1.5, 2.5]}]},
    ],
)
def test_embeddings(outputs):
    known = made(
        openai_call({"input": ["a"], "encoding_format": "float"}, outputs, kind="EMBEDDING")
    )
    assert known["gen_ai.operation.name"] == "embeddings"
    assert known["gen_ai.embeddings.dimension.count"] == 3
    assert known["gen_ai.request.encoding_formats"] == ["float"]
    assert known["ollamatrace.request"] == {"input": ["a"]}
    assert known["ollamatrace.response"] == outputs


def test_what_is_read_of_an_answer_stays_in_the_request():
    """The same names mean other things there."""
    inputs = {"prompt": "A hat", "image": "cat.png", "output": "x"}
    known = made(openai_call(inputs, {"data": [{"b64_json": "AAAA"}]}, kind="LLM"))
    assert known["ollamatrace.request"] == {"image": "cat.png", "output": "x"}
    picture = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}
    assert known["gen_ai.output.messages"][0]["parts"] == [picture]


def test_a_prompt_of_tokens_stays_as_it_is():
    known = made(openai_call({"prompt": [1, 2, 3]}, None, kind="LLM"))
    assert known["ollamatrace.request"] == {"prompt": [1, 2, 3]}
    assert "gen_ai.input.messages" not in known


def test_an_answer_that_is_no_object():
    assert made(openai_call({}, "text"))["ollamatrace.response"] == "text"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "TOOL",
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "step",
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.arguments": {"question": "Why?"},
                "gen_ai.tool.call.result": "Because.",
            },
        ),
        (
            "AGENT",
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "step",
                "input.value": {"question": "Why?"},
                "input.mime_type": "application/json",
                "output.value": "Because.",
                "output.mime_type": "text/plain",
            },
        ),
        ("RETRIEVER", {"gen_ai.operation.name": "retrieval"}),
        ("CHAIN", {"input.value": {"question": "Why?"}}),
    ],
)
def test_manual_spans(kind, expected):
    record = span(kind=kind)
    known = made(record)
    assert genai_name(record) == "step"
    assert known.items() >= expected.items()
    assert known["ollamatrace.kind"] == kind
    assert "ollamatrace.name" not in known


def test_attributes_of_a_programs_own_are_as_it_says():
    known = made(span(attributes={"finish_reason": "mine", "gen_ai.operation.name": "plan"}))
    assert known["finish_reason"] == "mine"
    assert known["gen_ai.operation.name"] == "plan"


def failed(status, events):
    return made(span(status=status, event_content=Content(events)))


def test_what_it_failed_with():
    attributes = {"exception.type": "a.b.Odd", "exception.message": "m"}
    events = [
        {"name": "exception", "time_ns": 1, "attributes": attributes},
        {"name": "later", "time_ns": 2, "attributes": {}},
    ]
    assert failed("ERROR", events)["error.type"] == "a.b.Odd"
    assert failed("ERROR", [])["error.type"] == "_OTHER"
    known = failed("CANCELLED", [])
    assert (known["error.type"], known["ollamatrace.status"]) == ("cancelled", "CANCELLED")
    assert "error.type" not in failed("OK", events)
