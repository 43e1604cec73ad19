"""What the conventions have no names for: Ollama's own numbers, and what we know of a span."""

from __future__ import annotations

from typing import Any, Final

from ollamatrace.destinations.pieces import NOTED
from ollamatrace.records import SpanRecord
from ollamatrace.records.shapes import as_dict

_NS_PER_S: Final = 1e9
_DURATIONS: Final = {
    "load_ns": "ollama.load_duration",
    "prompt_eval_ns": "ollama.prompt_eval_duration",
    "eval_ns": "ollama.eval_duration",
    "total_ns": "ollama.total_duration",
}


def own_attributes(record: SpanRecord) -> dict[str, Any]:
    """What a span has in either vocabulary; its own attributes, under their own names, last."""
    is_call = record.provider is not None
    made: dict[str, Any] = {
        "ollamatrace.kind": record.kind,
        "ollamatrace.end_reason": record.end_reason,
        "session.id": record.session,
        "user.id": record.user,
        "ollamatrace.warnings": record.warnings or None,
        "ollamatrace.chunks": record.timing.chunks,
        "ollamatrace.time_to_first_answer": seconds(record.timing.first_answer_ns),
    }
    if is_call:
        made["ollamatrace.name"] = record.name
    if record.status == "CANCELLED":
        made["ollamatrace.status"] = record.status
    for ours, theirs in _DURATIONS.items():
        made[theirs] = getattr(record.timing, ours)
    if record.provider == "ollama":
        inputs = as_dict(record.inputs)
        made["ollama.keep_alive"] = inputs.get("keep_alive")
        made["ollama.request.num_ctx"] = as_dict(inputs.get("options")).get("num_ctx")
        made["ollama.done_reason"] = as_dict(record.outputs).get("done_reason")
    for key, value in record.tags.items():
        made[f"ollamatrace.tag.{key}"] = value
    for key, value in record.metadata.items():
        made[f"ollamatrace.metadata.{key}"] = value
    return made | {
        name: value for name, value in record.attributes.items() if not (is_call and name in NOTED)
    }


def values_of(record: SpanRecord) -> dict[str, Any]:
    """Inputs and outputs as a whole, in OpenInference's names, which other servers read, too."""
    made: dict[str, Any] = {}
    for side, value in (("input", record.inputs), ("output", record.outputs)):
        if value is not None:
            kind = "text/plain" if isinstance(value, str) else "application/json"
            made |= {f"{side}.value": value, f"{side}.mime_type": kind}
    return made


def seconds(nanoseconds: int | None) -> float | None:
    """A time in seconds, if there is one."""
    return None if nanoseconds is None else nanoseconds / _NS_PER_S


def error_type(record: SpanRecord) -> str | None:
    """What the span failed with: the exception's class, with its module."""
    if record.status == "OK":
        return None
    for event in reversed(record.events):
        if event["name"] == "exception":
            return str(event["attributes"].get("exception.type"))
    return "cancelled" if record.status == "CANCELLED" else "_OTHER"
