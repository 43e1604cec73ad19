"""Calls of Ollama's own client, so that MLflow's page shows them as conversations."""

from __future__ import annotations

import base64
import json

import ollama
import pytest

from ollamatrace.clients.answers import OllamaAnswer
from ollamatrace.destinations.mlflow.attributes import attributes
from ollamatrace.destinations.mlflow.native import FORM, normalised, restored
from ollamatrace.destinations.mlflow.pictures import data_url, plain_image
from tests.destinations.mlflow.golden_records import CALLS, PIXEL, a_record, record_of
from tests.exchanges import arguments, load, path_of

CAPTURES = [
    *("chat", "chat_think", "chat_tools", "chat_tool_result_turn", "chat_logprobs"),
    *("chat_system_keepalive", "generate", "generate_raw", "embed"),
]
_ANSWERS = {
    "/api/chat": ("CHAT_MODEL", ollama.ChatResponse),
    "/api/generate": ("LLM", ollama.GenerateResponse),
    "/api/embed": ("EMBEDDING", ollama.EmbedResponse),
}


def native_record(name):
    [exchange] = load(f"ollama-native/{name}")["exchanges"]
    kind, answer = _ANSWERS[path_of(exchange)]
    outputs = answer(**json.loads(exchange["response"]["body"]["text"])).model_dump()
    facts = OllamaAnswer().facts(outputs)
    return a_record(
        kind=kind,
        inputs=arguments(exchange),
        outputs=outputs,
        provider="ollama",
        model=facts.model,
        usage=facts.usage,
    )


def chat(*messages, outputs=None, **given):
    inputs = {"model": "m", "messages": list(messages), **given}
    return a_record(provider="ollama", inputs=inputs, outputs=outputs)


def is_shown(message):
    """The rule of MLflow's page: whether it takes this for a message."""
    calls = message.get("tool_calls") or []
    return (
        message["role"] in {"user", "assistant", "system", "tool"}
        and isinstance(message.get("content"), str | list | None)
        and all(
            isinstance(text, str)
            for call in calls
            for text in (call["id"], call["function"]["name"], call["function"]["arguments"])
        )
    )


@pytest.mark.parametrize("name", CAPTURES)
def test_the_page_shows_a_conversation(name):
    made = attributes(native_record(name))
    if name == "embed":
        assert made["mlflow.spanOutputs"] == native_record(name).outputs
        return
    assert made["mlflow.message.format"] == "openai"
    assert all(map(is_shown, made["mlflow.spanInputs"]["messages"]))
    assert [
        choice for choice in made["mlflow.spanOutputs"]["choices"] if is_shown(choice["message"])
    ]


@pytest.mark.parametrize("name", CAPTURES)
def test_nothing_is_lost(name):
    record = native_record(name)
    made = json.loads(json.dumps(attributes(record)))
    inputs, outputs = restored(made["mlflow.spanInputs"], made["mlflow.spanOutputs"], made)
    assert inputs == record.inputs
    assert outputs == record.outputs


@pytest.mark.parametrize("name", CALLS)
def test_openais_shape_stays_as_it_is(name):
    record = record_of(name)
    assert normalised(record) == (record.inputs, record.outputs, {})
    assert restored(record.inputs, record.outputs, {}) == (record.inputs, record.outputs)


def test_the_answer_has_openais_fields():
    record = native_record("chat_think")
    made = attributes(record)
    assert made["mlflow.spanOutputs"]["usage"] == {
        "completion_tokens": record.usage.output_tokens,
        "prompt_tokens": record.usage.input_tokens,
        "total_tokens": record.usage.total_tokens,
    }
    [choice] = made["mlflow.spanOutputs"]["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["reasoning"] == record.outputs["message"]["thinking"]
    for name in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
        assert made[f"ollama.{name}"] == record.outputs[name]
    assert made["ollama.done_reason"] == "stop"


def test_what_the_call_asked_of_ollama():
    made = attributes(chat(outputs={"message": {}}, keep_alive="5m", options={"num_ctx": 4096}))
    assert made["ollama.keep_alive"] == made["keep_alive"] == "5m"
    assert made["ollama.request.num_ctx"] == 4096
    assert made[FORM] == {"call": "chat"}


def test_tool_calls_have_ids_and_answers_refer_to_them():
    call = {"function": {"name": "f", "arguments": {"a": "é"}}}
    record = chat(
        {"role": "assistant", "tool_calls": [call, {**call, "id": "own"}]},
        {"role": "tool", "tool_name": "f", "content": "1"},
        {"role": "tool", "tool_name": "f", "content": "2"},
        {"role": "tool", "tool_name": "g", "content": "3"},
    )
    asked, *answers = normalised(record).inputs["messages"]
    assert [call["id"] for call in asked["tool_calls"]] == ["call_without_id_0", "own"]
    assert asked["tool_calls"][0]["function"]["arguments"] == '{"a": "é"}'
    assert [answer.get("tool_call_id") for answer in answers] == ["call_without_id_0", "own", None]
    assert restored(normalised(record).inputs, None, {FORM: {"call": "chat"}})[0] == record.inputs


def test_images_become_parts():
    record = chat({"role": "user", "content": "What?", "images": [PIXEL, "cat.png"]})
    [message] = normalised(record).inputs["messages"]
    assert message == {
        "role": "user",
        "content": [
            {"type": "text", "text": "What?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "image_url", "image_url": {"url": "cat.png"}},
        ],
    }
    assert restored(normalised(record).inputs, None, {FORM: {"call": "chat"}})[0] == record.inputs


def test_a_prompt_becomes_messages():
    inputs = {"model": "m", "system": "Be terse", "prompt": "What?", "images": [PIXEL], "raw": True}
    record = a_record(kind="LLM", provider="ollama", inputs=inputs)
    shown = normalised(record)
    system, user = shown.inputs["messages"]
    assert system == {"role": "system", "content": "Be terse"}
    assert user["content"][0] == {"type": "text", "text": "What?"}
    assert shown.inputs.keys() == {"model", "messages", "raw"}
    assert restored(shown.inputs, None, {FORM: {"call": "generate"}})[0] == inputs


def test_an_image_that_was_made_is_shown():
    outputs = {"model": "m", "response": "", "image": PIXEL, "done": True, "logprobs": None}
    record = a_record(kind="LLM", provider="ollama", inputs={"prompt": "a cat"}, outputs=outputs)
    made = attributes(record)
    [choice] = made["mlflow.spanOutputs"]["choices"]
    assert choice["message"]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    assert "ollama.image" not in made
    assert restored(made["mlflow.spanInputs"], made["mlflow.spanOutputs"], made)[1] == outputs


def test_completions_through_openais_client_keep_their_prompt():
    inputs = {"model": "m", "prompt": "The sky is"}
    assert normalised(a_record(kind="LLM", provider="ollama", inputs=inputs)).inputs == inputs


def test_thinking_of_other_servers_is_shown_and_taken_back():
    outputs = {"choices": [{"message": {"role": "assistant", "reasoning_content": "hm"}}, {}]}
    record = a_record(outputs=outputs)
    shown = normalised(record).outputs
    assert shown["choices"][0]["message"]["reasoning"] == "hm"
    assert outputs["choices"][0]["message"].keys() == {"role", "reasoning_content"}
    assert restored(None, shown, {}) == (None, outputs)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"BM", "image/bmp"),
        (b"?" * 60, "application/octet-stream"),
    ],
)
def test_a_data_url_says_what_it_is(data, kind):
    text = base64.b64encode(data).decode()
    assert data_url(text) == f"data:{kind};base64,{text}"
    assert plain_image(data_url(text)) == text


@pytest.mark.parametrize("image", ["cat.png", "cat", "http://x/cat.png", "größe.png"])
def test_what_is_no_base64_stays_as_it_is(image):
    assert data_url(image) == image
    assert plain_image(image) == image


@pytest.mark.parametrize(
    "outputs",
    [{"message": None}, {"message": "x"}, {"response": None}, {"message": {"tool_calls": [1]}}],
)
def test_odd_answers_do_no_harm(outputs):
    attributes(chat(1, {"role": "user", "images": [1], "tool_calls": ["x"]}, outputs=outputs))


def test_thinking_under_both_names_stays_as_it_is():
    message = {"role": "assistant", "reasoning": "a", "reasoning_content": "b"}
    outputs = {"choices": [{"message": message}]}
    assert normalised(a_record(outputs=outputs)).outputs == outputs
