"""A trace or a span on one line: what `repr` says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ollamatrace.records.view import figures, safe, turns
from ollamatrace.records.view.harmless import harmless
from ollamatrace.records.view.summary import Summary

if TYPE_CHECKING:
    from ollamatrace.records import SpanRecord, Trace

_TEXT: Final = 60
_MODELS: Final = 3


def _bare(thing: object, _error: Exception) -> str:
    return object.__repr__(thing)


@harmless(_bare)
def trace_line(trace: Trace) -> str:
    """``<Trace 4f1c… agent OK 2.26 s, 4 spans, 130 → 18 tokens, m:1b: Why is the sky blue?>``."""
    if not trace.spans:
        return f"<Trace {trace.trace_id}, no spans>"
    summary, root = Summary.of(trace), trace.root
    parts = [
        f"{_cut(root.name)} {root.status} {figures.duration(summary.duration_ns)}",
        figures.counted(len(trace.spans), "span"),
    ]
    if summary.input_tokens is not None or summary.output_tokens is not None:
        parts.append(f"{figures.tokens(summary.input_tokens, summary.output_tokens)} tokens")
    parts += map(_cut, summary.models[:_MODELS])
    if len(summary.models) > _MODELS:
        parts.append(figures.counted(len(summary.models) - _MODELS, "more model"))
    return _line(f"Trace {trace.trace_id} {', '.join(parts)}", summary.question)


@harmless(_bare)
def span_line(span: SpanRecord) -> str:
    """``<SpanRecord Chat CHAT_MODEL OK 255 ms, m:1b, 13 → 8 tokens: Rayleigh scattering.>``."""
    parts = [f"{_cut(span.name)} {_cut(span.kind)} {span.status} {_took(span)}"]
    if span.model:
        parts.append(_cut(span.model))
    if span.usage:
        counts = figures.tokens(span.usage.input_tokens, span.usage.output_tokens)
        parts.append(f"{counts} tokens")
    said = turns.answer(span) if span.status == "OK" else span.status_message
    return _line(f"SpanRecord {', '.join(parts)}", said)


def _took(span: SpanRecord) -> str:
    return figures.duration(span.end_ns - span.start_ns)


def _line(what: str, said: str) -> str:
    text = _cut(said)
    return f"<{what}: {text}>" if text else f"<{what}>"


def _cut(text: str) -> str:
    line = safe.one_line(text[: 4 * _TEXT])
    return line if len(line) <= _TEXT else f"{line[: _TEXT - 1]}…"
