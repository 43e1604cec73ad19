"""A span in the names of OpenTelemetry's conventions for generative AI.

See https://github.com/open-telemetry/semantic-conventions-genai. What an argument or a field of an
answer has no name for there is in ``ollamatrace.request`` and ``ollamatrace.response``; what a
manual span took in and gave back is in ``input.value`` and ``output.value``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ollamatrace.destinations.otlp.conversation import Conversation, conversation
from ollamatrace.destinations.otlp.own import error_type, own_attributes, seconds, values_of
from ollamatrace.records import SpanRecord
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

_OPERATIONS: Final = {
    "AGENT": "invoke_agent",
    "CHAT_MODEL": "chat",
    "EMBEDDING": "embeddings",
    "LLM": "generate_content",
    "RETRIEVER": "retrieval",
    "TOOL": "execute_tool",
}
"""By the kind of a span."""

_USAGE: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_is(value: Any) -> Any:
    return value


def _several(value: Any) -> Any:
    return value if is_list(value) else [value]


def _above_one(value: Any) -> Any:
    return None if value == 1 else value


def _form(value: Any) -> Any:
    """The type of output that a format asks for: OpenAI's are objects, Ollama's may be a schema."""
    kind = as_dict(value).get("type", value)
    return "text" if kind == "text" else "json"


_REQUEST: Final[tuple[tuple[str, tuple[str, ...], Callable[[Any], Any]], ...]] = (
    (
        "gen_ai.request.max_tokens",
        ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"),
        _as_is,
    ),
    ("gen_ai.request.temperature", ("temperature",), _number),
    ("gen_ai.request.top_p", ("top_p",), _number),
    ("gen_ai.request.top_k", ("top_k",), _as_is),
    ("gen_ai.request.frequency_penalty", ("frequency_penalty",), _number),
    ("gen_ai.request.presence_penalty", ("presence_penalty",), _number),
    ("gen_ai.request.stop_sequences", ("stop",), _several),
    ("gen_ai.request.seed", ("seed",), _as_is),
    ("gen_ai.request.choice.count", ("n",), _above_one),
    ("gen_ai.request.stream", ("stream",), _as_is),
    ("gen_ai.request.encoding_formats", ("encoding_format",), _several),
    ("gen_ai.embeddings.dimension.count", ("dimensions",), _as_is),
)
"""The attribute, the arguments that it may come from, and how."""
_FROM: Final = {
    name: (attribute, convert) for attribute, names, convert in _REQUEST for name in names
}
_PLACES: Final = {name: place for place, name in enumerate(_FROM)}
"""Of several that say the same, the first counts."""
_TAKEN: Final = frozenset({"model", *_FROM})
_NOT_INPUTS: Final = _TAKEN | {"options", "keep_alive"}
_NOT_OPTIONS: Final = _TAKEN | {"num_ctx"}
_IN_ANSWERS: Final = frozenset({"id", "model", "object", "usage"})
_OF_OLLAMA: Final = _IN_ANSWERS | {
    "done_reason",
    "eval_count",
    "eval_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "total_duration",
}
"""Of Ollama's answers more is in attributes, under ``ollama.`` or ``gen_ai.usage.``."""


def genai_name(record: SpanRecord) -> str:
    """What a span is called: a call of a model by what it does, others as they are."""
    model, does = asked_model(record), operation(record)
    if record.provider is None or model is None or does is None:
        return record.name
    return f"{does} {model}"


def genai_attributes(record: SpanRecord) -> dict[str, Any]:
    """The attributes of a span; plain values, of which ``None`` is none."""
    made: dict[str, Any] = {
        "gen_ai.operation.name": operation(record),
        "gen_ai.provider.name": record.provider,
        "gen_ai.request.model": asked_model(record),
        "gen_ai.conversation.id": record.session,
        "gen_ai.response.time_to_first_chunk": seconds(record.timing.first_token_ns),
        "error.type": error_type(record),
    }
    if record.usage is not None:
        made |= {theirs: getattr(record.usage, ours) for ours, theirs in _USAGE.items()}
    if record.provider is None:
        made |= _of_manual(record)
    else:
        made |= _of_call(record)
    made |= own_attributes(record)
    return made


def operation(record: SpanRecord) -> str | None:
    """What a span does, in the conventions' words; ``None`` if they have none for it."""
    if record.kind == "LLM" and record.provider is not None and _is_completion(record):
        return "text_completion"
    return _OPERATIONS.get(record.kind)


def _is_completion(record: SpanRecord) -> bool:
    return "prompt" in as_dict(record.inputs) and "data" not in as_dict(record.outputs)


def asked_model(record: SpanRecord) -> str | None:
    """The model that was asked for; another may have answered."""
    return record.attributes.get("model_asked") or record.model


def _of_manual(record: SpanRecord) -> dict[str, Any]:
    if record.kind == "TOOL":
        return {
            "gen_ai.tool.name": record.name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.arguments": record.inputs,
            "gen_ai.tool.call.result": record.outputs,
        }
    agent = record.name if record.kind == "AGENT" else None
    return {"gen_ai.agent.name": agent, **values_of(record)}


def _of_call(record: SpanRecord) -> dict[str, Any]:
    told = conversation(record)
    inputs, outputs = record.inputs, record.outputs
    made: dict[str, Any] = {
        "gen_ai.system_instructions": told.system or None,
        "gen_ai.input.messages": told.asked or None,
        "gen_ai.output.messages": told.answered or None,
        "gen_ai.tool.definitions": [_definition(tool) for tool in told.tools] or None,
        "gen_ai.response.finish_reasons": [one for one in told.reasons if one] or None,
    }
    if is_dict(inputs):
        made |= _of_inputs(inputs, told)
    if is_dict(outputs):
        made["gen_ai.response.id"] = outputs.get("id")
        made["gen_ai.response.model"] = record.model
        made |= _of_outputs(record, outputs, told)
    elif outputs is not None:
        made["ollamatrace.response"] = outputs
    return made


def _of_inputs(inputs: dict[str, Any], told: Conversation) -> dict[str, Any]:
    options = as_dict(inputs.get("options"))
    given = {**options, **inputs} if options else inputs
    made: dict[str, Any] = {}
    for name in sorted(_FROM.keys() & given.keys(), key=_PLACES.__getitem__):
        attribute, convert = _FROM[name]
        if given[name] is not None and attribute not in made:
            made[attribute] = convert(given[name])
    if form := given.get("response_format") or given.get("format"):
        made["gen_ai.output.type"] = _form(form)
    rest = _without(inputs, told.asked_in, _NOT_INPUTS)
    if options and (more := _without(options, _NOT_OPTIONS)):
        rest["options"] = more
    made["ollamatrace.request"] = rest or None
    return made


def _of_outputs(record: SpanRecord, outputs: dict[str, Any], told: Conversation) -> dict[str, Any]:
    is_ollama = record.provider == "ollama"
    rest = _without(outputs, told.answered_in, _OF_OLLAMA if is_ollama else _IN_ANSWERS)
    logprobs = [as_dict(one).get("logprobs") for one in as_list(outputs.get("choices"))]
    if any(logprobs):
        rest["logprobs"] = logprobs
    made: dict[str, Any] = {"ollamatrace.response": rest or None}
    if record.kind == "EMBEDDING" and (size := _dimensions(outputs)):
        made["gen_ai.embeddings.dimension.count"] = size
    return made


def _dimensions(outputs: Mapping[str, Any]) -> int | None:
    """How long the first vector is."""
    listed = as_list(outputs.get("embeddings")) or [outputs.get("embedding")]
    data = as_list(outputs.get("data")) or [{"embedding": listed[0]}]
    return len(as_list(as_dict(data[0]).get("embedding"))) or None


def _definition(tool: Any) -> Any:
    """A tool as the conventions have it: what it is beside its type."""
    if is_dict(tool) and is_dict(function := tool.get("function")):
        return {"type": tool.get("type") or "function", **function}
    return tool


def _without(
    fields: Mapping[str, Any], names: frozenset[str], others: frozenset[str] = frozenset()
) -> dict[str, Any]:
    return {
        key: item
        for key, item in fields.items()
        if item is not None and key not in names and key not in others
    }
