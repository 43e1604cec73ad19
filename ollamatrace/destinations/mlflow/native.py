"""Calls of Ollama's own client in the shape of OpenAI's, which is what MLflow's page can read.

The page shows a conversation where inputs have `messages` and outputs have `choices`, tool calls
have ids and their arguments are text, images are content parts, and thinking is a message's
`reasoning`. What an answer has beside that becomes attributes under ``ollama.``; `restored` puts
everything back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from ollamatrace.destinations.mlflow.pictures import data_url, plain_image
from ollamatrace.destinations.mlflow.values import json_text
from ollamatrace.records import SpanRecord
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

FORM: Final = "ollamatrace.native"
"""The attribute that says which call of Ollama's client it was (`call`), and which fields of the
answer were ``None`` (`nulls`)."""
_PREFIX: Final = "ollama."
_KEEP_ALIVE: Final = "ollama.keep_alive"
_NUM_CTX: Final = "ollama.request.num_ctx"
_MADE_ID: Final = "call_without_id_"
# What becomes a part of `choices` or stays under its name; the other fields become attributes.
_SHOWN: Final = frozenset({"model", "message", "response", "thinking", "logprobs"})
_VECTORS: Final = frozenset({"model", "embeddings", "embedding"})
# What only Ollama's client takes, to tell its `generate` from OpenAI's completions.
_OF_GENERATE: Final = frozenset(
    {"options", "keep_alive", "raw", "system", "template", "context", "images", "format", "think"}
)

Form = Literal["chat", "generate", "embed"]


class Shown(NamedTuple):
    """A call as MLflow gets it."""

    inputs: Any
    outputs: Any
    attributes: dict[str, Any]


def normalised(record: SpanRecord) -> Shown:
    """The inputs and outputs of a call in OpenAI's shape, and what that shape has no place for."""
    inputs, outputs = record.inputs, record.outputs
    form = _form(record.kind, inputs, outputs) if record.provider == "ollama" else None
    if form is None:
        return Shown(inputs, _with_reasoning(outputs), {})
    mark: dict[str, Any] = {"call": form}
    attributes: dict[str, Any] = {FORM: mark}
    if is_dict(inputs):
        inputs = _shown_inputs(form, inputs, attributes)
    if is_dict(outputs):
        own = _VECTORS if form == "embed" else _SHOWN
        if form == "generate" and outputs.get("image"):
            own = own | {"image"}
        beside = {name: value for name, value in outputs.items() if name not in own}
        for name, value in beside.items():
            if value is not None:
                attributes[_PREFIX + name] = value
        if form != "embed":
            if nulls := [name for name, value in beside.items() if value is None]:
                mark["nulls"] = nulls
            outputs = _as_choices(record, outputs)
    return Shown(inputs, outputs, attributes)


def restored(inputs: Any, outputs: Any, attributes: Mapping[str, Any]) -> tuple[Any, Any]:
    """Inputs and outputs as Ollama's client had them, from what `normalised` made of them."""
    form = as_dict(attributes.get(FORM)).get("call")
    if form == "chat" and is_dict(inputs):
        messages = [_native_message(message) for message in as_list(inputs.get("messages"))]
        inputs = {**inputs, "messages": messages}
    elif form == "generate" and is_dict(inputs) and is_list(inputs.get("messages")):
        inputs = _messages_as_prompt(inputs)
    if form in {"chat", "generate"} and is_dict(outputs) and is_list(outputs.get("choices")):
        outputs = _native_answer(form == "chat", outputs, attributes)
    elif form is None:
        outputs = _without_reasoning(outputs)
    return inputs, outputs


def _shown_inputs(form: Form, inputs: dict[str, Any], attributes: dict[str, Any]) -> Any:
    if inputs.get("keep_alive") is not None:
        attributes[_KEEP_ALIVE] = inputs["keep_alive"]
    if (size := as_dict(inputs.get("options")).get("num_ctx")) is not None:
        attributes[_NUM_CTX] = size
    if form == "chat":
        return {**inputs, "messages": _messages(inputs.get("messages"))}
    return _prompt_as_messages(inputs) if form == "generate" else inputs


def _form(kind: str, inputs: Any, outputs: Any) -> Form | None:
    """Which call it was; ``None`` for one through OpenAI's client, to an Ollama server."""
    if is_dict(outputs):
        if "object" in outputs or "choices" in outputs:
            return None
        if "message" in outputs:
            return "chat"
        if "response" in outputs:
            return "generate"
        return "embed" if "embeddings" in outputs or "embedding" in outputs else None
    given = as_dict(inputs)
    if kind == "CHAT_MODEL" and is_list(given.get("messages")):
        return "chat" if any(_is_native(message) for message in given["messages"]) else None
    if kind == "LLM" and "prompt" in given and not _OF_GENERATE.isdisjoint(given):
        return "generate"
    return None


def _is_native(message: Any) -> bool:
    if not is_dict(message):
        return False
    calls = as_list(message.get("tool_calls"))
    arguments = [as_dict(as_dict(call).get("function")).get("arguments") for call in calls]
    marks = ("images", "tool_name", "thinking")
    return any(message.get(mark) for mark in marks) or any(map(is_dict, arguments))


def _messages(messages: Any) -> list[Any]:
    shown: list[Any] = []
    unanswered: dict[str, list[str]] = {}
    made = 0
    for message in as_list(messages):
        if not is_dict(message):
            shown.append(message)
            continue
        new = {"reasoning" if key == "thinking" else key: item for key, item in message.items()}
        if is_list(calls := message.get("tool_calls")):
            new["tool_calls"] = [
                _call(call, f"{_MADE_ID}{made + n}") for n, call in enumerate(calls)
            ]
            made += len(calls)
            for call in new["tool_calls"]:
                name = str(as_dict(call.get("function")).get("name"))
                unanswered.setdefault(name, []).append(call["id"])
        if (ids := unanswered.get(str(message.get("tool_name")))) and "tool_call_id" not in new:
            new["tool_call_id"] = ids.pop(0)
        if images := as_list(message.get("images")):
            del new["images"]
            new["content"] = _parts(message.get("content"), images)
        shown.append(new)
    return shown


def _call(call: Any, made_id: str) -> dict[str, Any]:
    function = as_dict(as_dict(call).get("function"))
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json_text(arguments)
    return {
        **as_dict(call),
        "id": as_dict(call).get("id") or made_id,
        "function": {**function, "arguments": text},
    }


def _parts(content: Any, images: list[Any]) -> list[Any]:
    text = [{"type": "text", "text": content}] if isinstance(content, str) else []
    return text + [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in images]


def _prompt_as_messages(inputs: dict[str, Any]) -> dict[str, Any]:
    prompt, system, images = (inputs.get(name) for name in ("prompt", "system", "images"))
    if not isinstance(prompt, str):
        return inputs
    message: dict[str, Any] = {"role": "user", "content": prompt}
    if as_list(images):
        message["content"] = _parts(prompt, as_list(images))
    first = [{"role": "system", "content": system}] if isinstance(system, str) else []
    shown: dict[str, Any] = {}
    for key, value in inputs.items():
        if key == "prompt":
            shown["messages"] = [*first, message]
        elif not (key == "images" and as_list(images)) and not (key == "system" and first):
            shown[key] = value
    return shown


def _as_choices(record: SpanRecord, outputs: dict[str, Any]) -> dict[str, Any]:
    if "message" in outputs:
        message = _messages([outputs["message"]])[0]
    else:
        message = {"role": "assistant", "content": outputs.get("response")}
        if outputs.get("image"):
            message["content"] = _parts(outputs.get("response"), [outputs["image"]])
        if "thinking" in outputs:
            message["reasoning"] = outputs["thinking"]
    logprobs = outputs.get("logprobs")
    choice = {
        "finish_reason": outputs.get("done_reason"),
        "index": 0,
        "logprobs": None if logprobs is None else {"content": logprobs},
        "message": message,
    }
    usage = None
    if record.usage is not None:
        usage = {
            "completion_tokens": record.usage.output_tokens,
            "prompt_tokens": record.usage.input_tokens,
            "total_tokens": record.usage.total_tokens,
        }
    shown = {"choices": [choice], "model": outputs.get("model"), "object": "chat.completion"}
    return {**shown, "usage": usage}


def _with_reasoning(outputs: Any) -> Any:
    """Thinking that a server calls `reasoning_content` (llama.cpp, vLLM), also as `reasoning`."""
    if not is_dict(outputs) or not is_list(outputs.get("choices")):
        return outputs
    texts = [_thinking(choice) for choice in outputs["choices"]]
    if not any(texts):
        return outputs
    choices = [
        {**choice, "message": {**choice["message"], "reasoning": text}} if text else choice
        for choice, text in zip(outputs["choices"], texts, strict=True)
    ]
    return {**outputs, "choices": choices}


def _thinking(choice: Any) -> str | None:
    message = as_dict(as_dict(choice).get("message"))
    text = message.get("reasoning_content")
    return text if isinstance(text, str) and "reasoning" not in message else None


def _without_reasoning(outputs: Any) -> Any:
    if not is_dict(outputs) or not is_list(outputs.get("choices")):
        return outputs
    choices: list[Any] = []
    for choice in outputs["choices"]:
        message = as_dict(as_dict(choice).get("message"))
        text = message.get("reasoning_content")
        if text and message.get("reasoning") == text:
            rest = {key: item for key, item in message.items() if key != "reasoning"}
            choices.append({**choice, "message": rest})
        else:
            choices.append(choice)
    return {**outputs, "choices": choices}


def _native_answer(
    chat: bool,  # noqa: FBT001
    outputs: dict[str, Any],
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    choice = as_dict(next(iter(outputs["choices"]), None))
    message = _native_message(choice.get("message"))
    answer = {"model": outputs.get("model")}
    for name, value in attributes.items():
        if name.startswith(_PREFIX) and name not in {_KEEP_ALIVE, _NUM_CTX}:
            answer[name.removeprefix(_PREFIX)] = value
    answer |= dict.fromkeys(as_list(as_dict(attributes.get(FORM)).get("nulls")))
    if chat:
        answer["message"] = message
    else:
        answer["response"] = message.get("content")
        if images := as_list(message.get("images")):
            answer["image"] = images[0]
        if "thinking" in message:
            answer["thinking"] = message["thinking"]
    answer["logprobs"] = as_dict(choice.get("logprobs")).get("content")
    return answer


def _native_message(message: Any) -> Any:
    if not is_dict(message):
        return message
    native = {"thinking" if key == "reasoning" else key: item for key, item in message.items()}
    if is_list(calls := message.get("tool_calls")):
        native["tool_calls"] = [_native_call(call) for call in calls]
    if "tool_name" in message:
        native.pop("tool_call_id", None)
    if is_list(parts := message.get("content")):
        texts = [as_dict(part).get("text") for part in parts if "text" in as_dict(part)]
        urls = [as_dict(as_dict(part).get("image_url")).get("url") for part in parts]
        native.pop("content")
        native |= {"content": texts[0]} if texts else {}
        native["images"] = [plain_image(url) for url in urls if isinstance(url, str)]
    return native


def _native_call(call: dict[str, Any]) -> dict[str, Any]:
    function = as_dict(call.get("function"))
    try:
        arguments = json.loads(function.get("arguments") or "null")
    except ValueError:
        arguments = function.get("arguments")
    native = {**call, "function": {**function, "arguments": arguments}}
    if str(call.get("id")).startswith(_MADE_ID):
        del native["id"]
    return native


def _messages_as_prompt(inputs: dict[str, Any]) -> dict[str, Any]:
    *first, message = inputs["messages"]
    native = _native_message(message)
    given: dict[str, Any] = {}
    for key, value in inputs.items():
        if key == "messages":
            given["prompt"] = native.get("content")
        else:
            given[key] = value
    if first:
        given["system"] = first[0].get("content")
    if "images" in native:
        given["images"] = native["images"]
    return given
