"""A span in the names of OpenInference, which Arize's Phoenix is made for.

See https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md. Lists are
spread out there: ``llm.input_messages.0.message.role``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from ollamatrace.destinations.otlp.conversation import conversation
from ollamatrace.destinations.otlp.own import own_attributes, values_of
from ollamatrace.destinations.otlp.parts import Message, Part
from ollamatrace.records import SpanRecord
from ollamatrace.records.shapes import as_dict, as_list, is_list

_KINDS: Final = {
    "AGENT": "AGENT",
    "CHAT_MODEL": "LLM",
    "EMBEDDING": "EMBEDDING",
    "EVALUATOR": "EVALUATOR",
    "GUARDRAIL": "GUARDRAIL",
    "LLM": "LLM",
    "RERANKER": "RERANKER",
    "RETRIEVER": "RETRIEVER",
    "TOOL": "TOOL",
}
"""By the kind of a span; others are a ``CHAIN``, a link between others."""

_USAGE: Final = {
    "input_tokens": "llm.token_count.prompt",
    "output_tokens": "llm.token_count.completion",
    "total_tokens": "llm.token_count.total",
    "cached_tokens": "llm.token_count.prompt_details.cache_read",
    "reasoning_tokens": "llm.token_count.completion_details.reasoning",
}

_NO_PARAMETERS: Final = frozenset(
    {"images", "input", "instructions", "messages", "model", "prompt", "system", "tools"}
)
"""Arguments that say what, not how."""

Pairs = Iterator[tuple[str, Any]]


def openinference_attributes(record: SpanRecord) -> dict[str, Any]:
    """The attributes of a span; plain values, of which ``None`` is none."""
    kind = _KINDS.get(record.kind, "CHAIN")
    made: dict[str, Any] = {"openinference.span.kind": kind}
    made |= values_of(record)
    if kind == "EMBEDDING":
        made |= _embedding(record)
    elif record.model is not None or (kind == "LLM" and record.provider is not None):
        made |= _model(record)
    if kind == "TOOL":
        made["tool.name"] = record.name
    elif kind == "AGENT":
        made["agent.name"] = record.name
    if record.usage is not None:
        made |= {theirs: getattr(record.usage, ours) for ours, theirs in _USAGE.items()}
    made["metadata"] = record.metadata or None
    made["tag.tags"] = [f"{key}:{value}" for key, value in record.tags.items()] or None
    return made | own_attributes(record)


def _model(record: SpanRecord) -> dict[str, Any]:
    asked = record.attributes.get("model_asked") or record.model
    made: dict[str, Any] = {
        "llm.model_name": record.model,
        "llm.request.model_name": asked,
        "llm.response.model_name": record.model if record.outputs is not None else None,
        "llm.provider": record.provider,
        "llm.finish_reason": record.attributes.get("finish_reason"),
        "llm.invocation_parameters": _parameters(record),
    }
    if record.provider is None:
        return made
    told = conversation(record)
    system: list[Message] = [{"role": "system", "parts": told.system}] if told.system else []
    made |= dict(_messages("llm.input_messages", [*system, *told.asked]))
    made |= dict(_messages("llm.output_messages", told.answered))
    for number, tool in enumerate(told.tools):
        made[f"llm.tools.{number}.tool.json_schema"] = _json(tool)
    return made


def _embedding(record: SpanRecord) -> dict[str, Any]:
    made: dict[str, Any] = {
        "embedding.model_name": record.model,
        "embedding.invocation_parameters": _parameters(record),
    }
    inputs, outputs = as_dict(record.inputs), as_dict(record.outputs)
    texts = inputs.get("input", inputs.get("prompt"))
    vectors = as_list(outputs.get("embeddings")) or [outputs.get("embedding")]
    if is_list(outputs.get("data")):
        vectors = [as_dict(item).get("embedding") for item in outputs["data"]]
    place = "embedding.embeddings.{}.embedding.{}"
    for number, text in enumerate(texts if is_list(texts) else [texts]):
        made[place.format(number, "text")] = text if isinstance(text, str) else None
    for number, vector in enumerate(vectors):
        made[place.format(number, "vector")] = vector if is_list(vector) else None
    return made


def _parameters(record: SpanRecord) -> str | None:
    inputs = as_dict(record.inputs)
    given = {key: item for key, item in inputs.items() if key not in _NO_PARAMETERS}
    return _json(given) if given else None


def _messages(place: str, messages: Sequence[Message]) -> Pairs:
    for number, message in enumerate(messages):
        yield from _message(f"{place}.{number}.message", message)


def _message(place: str, message: Message) -> Pairs:
    yield f"{place}.role", message["role"]
    yield f"{place}.name", message.get("name")
    shown: list[Part] = []
    calls = 0
    for part in message["parts"]:
        if part["type"] == "tool_call":
            yield from _call(f"{place}.tool_calls.{calls}.tool_call", part)
            calls += 1
        elif part["type"] == "tool_call_response":
            yield f"{place}.tool_call_id", part["id"]
            yield f"{place}.content", _text(part["response"])
        else:
            shown.append(part)
    if len(shown) == 1 and shown[0]["type"] == "text":
        yield f"{place}.content", shown[0]["content"]
        return
    for number, part in enumerate(shown):
        yield from _content(f"{place}.contents.{number}.message_content", part)


def _call(place: str, part: Part) -> Pairs:
    yield f"{place}.id", part["id"]
    yield f"{place}.function.name", part["name"]
    yield f"{place}.function.arguments", _text(part["arguments"])


def _content(place: str, part: Part) -> Pairs:
    kind = part["type"]
    if kind in ("blob", "uri") and part["modality"] in ("image", "audio"):
        modality = part["modality"]
        yield f"{place}.type", modality
        yield f"{place}.{modality}.{modality}.url", _url(part)
    elif kind in ("text", "reasoning", "refusal"):
        yield f"{place}.type", "reasoning" if kind == "reasoning" else "text"
        yield f"{place}.text", part["content"]
    else:
        yield f"{place}.type", "text"
        yield f"{place}.text", _json(part)


def _url(part: Part) -> str:
    if part["type"] == "uri":
        return str(part["uri"])
    return f"data:{part['mime_type']};base64,{part['content']}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
