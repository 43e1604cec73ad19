"""What an answer says of its call: model, tokens, why and whether it came to its end."""

from __future__ import annotations

from typing import Any

from ollamatrace.clients.answers.answer import Answer, Facts, text_of
from ollamatrace.guard import shielded
from ollamatrace.records import SpanRecord
from ollamatrace.records.shapes import as_dict, is_dict


@shielded
def read_answer(record: SpanRecord, answer: Answer, *, complete: bool | None) -> None:
    """Put what the outputs of a record say into its fields.

    Args:
        record: A record with inputs and outputs.
        answer: How the endpoint answers.
        complete: Whether the final message of a stream came; ``None`` if it is no stream.
    """
    record.model = text_of(as_dict(record.inputs).get("model"))
    outputs: Any = record.outputs
    facts = answer.facts(outputs) if is_dict(outputs) else Facts()
    _note(record, facts)
    complete = facts.complete if complete is None else complete
    if not complete and record.end_reason in {"returned", "exhausted"}:
        record.end_reason = "incomplete"
        record.warnings.append(
            "the server stopped without its final message: the answer may be cut short, and "
            "there are no token counts"
        )


def _note(record: SpanRecord, facts: Facts) -> None:
    asked, record.model = record.model, facts.model or record.model
    if asked is not None and asked != record.model:
        record.attributes["model_asked"] = asked
    if facts.finish_reason is not None:
        record.attributes["finish_reason"] = facts.finish_reason
    if facts.from_ollama:
        record.provider = "ollama"
    record.usage = facts.usage
    for name, value in facts.durations.items():
        setattr(record.timing, name, value)
