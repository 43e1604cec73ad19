"""What there is to tell about a trace and each of its spans, beside the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ollamatrace.records.view import figures, readable, turns
from ollamatrace.records.view.summary import Summary
from ollamatrace.records.view.turns import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ollamatrace.records import Event, SpanRecord, Trace

_STACK: Final = "exception.stacktrace"
_ENDS_ITSELF: Final = {"returned", "exhausted", "error", "cancelled"}
"""Reasons that the status tells already."""


def head(trace: Trace) -> list[str]:
    """When it was, how long it took, what it consists of."""
    summary = Summary.of(trace)
    return [
        figures.moment(trace.root.start_ns),
        figures.duration(summary.duration_ns),
        figures.counted(len(trace.spans), "span"),
        f"{figures.tokens(summary.input_tokens, summary.output_tokens)} tokens",
    ]


def title(span: SpanRecord) -> list[str]:
    """What the span was, how it ended, how long it took, who answered."""
    parts: list[str] = [span.kind, span.status, figures.duration(span.end_ns - span.start_ns)]
    if span.model:
        parts.append(span.model if span.provider is None else f"{span.model} ({span.provider})")
    if span.end_reason not in _ENDS_ITSELF:
        parts.append(span.end_reason)
    return parts


def rows(span: SpanRecord, root: SpanRecord) -> Iterator[Row]:
    """What was said in the span, what went wrong, and what else is known about it."""
    yield from turns.inputs(span)
    yield from turns.outputs(span)
    yield from _chunks(span)
    for event in span.events:
        if not _is_chunk(event):
            yield from _event(event, span)
    if span.status != "OK" and not any(_STACK in event["attributes"] for event in span.events):
        yield Row(span.status.lower(), span.status_message or span.end_reason)
    for warning in span.warnings:
        yield Row("warning", warning)
    if counts := _counts(span):
        yield Row("tokens", counts, "aside")
    if times := _times(span):
        yield Row("times", times, "aside")
    yield from _belongings(span, root)


def _belongings(span: SpanRecord, root: SpanRecord) -> Iterator[Row]:
    """What the span is filed under, and what was set on it."""
    # Spans of one conversation share their session: the root tells it for all.
    session = span.session if span is root or span.session != root.session else None
    for label, value in (("session", session), ("user id", span.user)):
        if value:
            yield Row(label, value, "aside")
    named: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("tags", span.tags),
        ("metadata", span.metadata),
        ("attributes", span.attributes),
    )
    for label, values in named:
        if values:
            yield Row(label, _pairs(values.items()), "aside")
    for link in span.links:
        yield Row("link", f"trace {link['trace_id']} span {link['span_id']}", "aside")


def _is_chunk(event: Event) -> bool:
    return event["name"] == "chunk" and event["attributes"].keys() == {"index", "value"}


def _chunks(span: SpanRecord) -> Iterator[Row]:
    """One line for all chunks of a stream: what was in them is shown merged."""
    times = [event["time_ns"] - span.start_ns for event in span.events if _is_chunk(event)]
    if times:
        first, last = (figures.duration(max(0, ns)) for ns in (times[0], times[-1]))
        count = "1 chunk" if len(times) == 1 else f"{len(times)} chunks"
        yield Row("events", f"{count}, the first after {first}, the last {last}", "aside")


def _event(event: Event, span: SpanRecord) -> Iterator[Row]:
    attributes = event["attributes"]
    if event["name"] != "exception":
        after = figures.duration(max(0, event["time_ns"] - span.start_ns))
        yield Row("event", f"{event['name']} after {after} {_pairs(attributes.items())}", "aside")
        return
    kind, message = attributes.get("exception.type"), attributes.get("exception.message")
    yield Row("error", f"{kind}: {message}" if message else str(kind))
    if stack := attributes.get(_STACK):
        yield Row("stack", str(stack), "aside")


def _counts(span: SpanRecord) -> str:
    counts = span.usage.items() if span.usage is not None else ()
    return ", ".join(
        f"{name.removesuffix('_tokens')} {figures.count(number)}" for name, number in counts
    )


def _times(span: SpanRecord) -> str:
    timing, usage = span.timing, span.usage
    parts = [
        f"{label} {figures.duration(ns)}"
        for label, ns in (
            ("first token", timing.first_token_ns),
            ("first answer", timing.first_answer_ns),
            ("load", timing.load_ns),
            ("prompt", timing.prompt_eval_ns),
            ("eval", timing.eval_ns),
            ("server total", timing.total_ns),
        )
        if ns is not None
    ]
    if usage and usage.output_tokens and timing.eval_ns:
        parts.append(figures.rate(usage.output_tokens, timing.eval_ns))
    if timing.chunks is not None:
        parts.append(f"{timing.chunks} chunks")
    return ", ".join(parts)


def _pairs(values: Iterable[tuple[str, Any]]) -> str:
    return "\n".join(f"{name}={readable.brief(value)}" for name, value in values)
