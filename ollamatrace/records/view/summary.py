"""A trace in a few numbers: what `ls` shows of it and `demo` and `show` begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ollamatrace.records.view import turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ollamatrace.records import SpanRecord, Trace


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of all spans of a trace together; ``None`` is not known, which is not zero."""

    models: tuple[str, ...]
    input_tokens: int | None
    output_tokens: int | None
    duration_ns: int
    question: str

    @classmethod
    def of(cls, trace: Trace) -> Summary:
        """Read it from the spans."""
        calls = [span for span in trace.spans if span.kind in turns.MODEL_KINDS]
        asked = (turns.question(span) for span in calls)
        return cls(
            models=tuple(dict.fromkeys(span.model for span in calls if span.model)),
            # Only calls count: a span around them may carry the sum of what is inside it.
            input_tokens=_total(span.usage.input_tokens for span in calls if span.usage),
            output_tokens=_total(span.usage.output_tokens for span in calls if span.usage),
            duration_ns=_duration(trace.spans),
            question=next((text for text in asked if text), ""),
        )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _duration(spans: tuple[SpanRecord, ...]) -> int:
    return max(span.end_ns for span in spans) - min(span.start_ns for span in spans)
