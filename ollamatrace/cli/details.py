"""What `ollamatrace show` tells about a trace and, below its tree, about each span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ollamatrace.cli import figures, readable, safe, screen, tree, turns
from ollamatrace.cli.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console, RenderableType

    from ollamatrace.records import Event, SpanRecord, Trace

_LABEL_STYLE: Final = {
    "system": "magenta",
    "user": "cyan",
    "input": "cyan",
    "assistant": "green",
    "thinking": "dim italic",
    "tool call": "yellow",
    "tool": "yellow",
    "error": "bold red",
    "cancelled": "yellow",
    "refusal": "red",
    "warning": "yellow",
}
_BODY_STYLE: Final = {"thinking": "dim italic"}
_LABEL_WIDTH: Final = 10
_STACK: Final = "exception.stacktrace"
_ENDS_ITSELF: Final = {"returned", "exhausted", "error", "cancelled"}
"""Reasons that the status tells already."""


def print_trace(console: Console, trace: Trace) -> None:
    """Print the whole trace: head, tree, then every span."""
    console.print(_head(trace))
    console.print()
    found = tree.branches(trace, ascii_only=console.options.ascii_only)
    console.print(tree.table(found, console.width))
    root = trace.root
    for number, (_, span) in enumerate(found, 1):
        console.print()
        console.print(_title(number, span))
        console.print(_rows(span, root))


def _head(trace: Trace) -> Text:
    summary = Summary.of(trace)
    root = trace.root
    counts = figures.tokens(summary.input_tokens, summary.output_tokens)
    facts = [
        figures.moment(root.start_ns),
        figures.duration(summary.duration_ns),
        "1 span" if len(trace.spans) == 1 else f"{len(trace.spans)} spans",
        f"{counts} tokens",
    ]
    head = Text(f"trace {trace.trace_id}\n", style="bold")
    head.append(safe.one_line(root.name), style="not bold cyan")
    head.append(f" {root.status} ", style=screen.STATUS_STYLE.get(root.status, ""))
    head.append(" · ".join(facts), style="not bold")
    return head


def _title(number: int, span: SpanRecord) -> Text:
    title = Text(f"{number}  {safe.one_line(span.name)}", style="bold")
    facts = [span.kind, span.status, figures.duration(span.end_ns - span.start_ns)]
    if span.model:
        facts.append(span.model if span.provider is None else f"{span.model} ({span.provider})")
    if span.end_reason not in _ENDS_ITSELF:
        facts.append(span.end_reason)
    title.append(f"  {safe.one_line(' · '.join(facts))}", style="not bold dim")
    return title


def _rows(span: SpanRecord, root: SpanRecord) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=_LABEL_WIDTH, max_width=2 * _LABEL_WIDTH)
    grid.add_column()
    for label, text, tone in _facts(span, root):
        style = _LABEL_STYLE.get(label, "") if tone == "said" else "dim"
        body = {"aside": "dim", "value": ""}.get(tone, _BODY_STYLE.get(label, ""))
        grid.add_row(screen.cell(label, style), screen.block(text, body))
    return Padding(grid, (0, 0, 0, 3))


def _facts(span: SpanRecord, root: SpanRecord) -> Iterator[turns.Row]:
    yield from turns.inputs(span)
    yield from turns.outputs(span)
    yield from _chunks(span)
    for event in span.events:
        if not _is_chunk(event):
            yield from _event(event, span)
    if span.status != "OK" and not any(_STACK in event["attributes"] for event in span.events):
        yield turns.Row(span.status.lower(), span.status_message or span.end_reason)
    for warning in span.warnings:
        yield turns.Row("warning", warning)
    if counts := _counts(span):
        yield turns.Row("tokens", counts, "aside")
    if times := _times(span):
        yield turns.Row("times", times, "aside")
    yield from _belongings(span, root)


def _belongings(span: SpanRecord, root: SpanRecord) -> Iterator[turns.Row]:
    """What the span is filed under, and what was set on it."""
    # Spans of one conversation share their session: the root tells it for all.
    session = span.session if span is root or span.session != root.session else None
    for label, value in (("session", session), ("user id", span.user)):
        if value:
            yield turns.Row(label, value, "aside")
    named: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("tags", span.tags),
        ("metadata", span.metadata),
        ("attributes", span.attributes),
    )
    for label, values in named:
        if values:
            yield turns.Row(label, _pairs(values.items()), "aside")
    for link in span.links:
        yield turns.Row("link", f"trace {link['trace_id']} span {link['span_id']}", "aside")


def _is_chunk(event: Event) -> bool:
    return event["name"] == "chunk" and event["attributes"].keys() == {"index", "value"}


def _chunks(span: SpanRecord) -> Iterator[turns.Row]:
    """One line for all chunks of a stream: what was in them is shown merged."""
    times = [event["time_ns"] - span.start_ns for event in span.events if _is_chunk(event)]
    if times:
        first, last = (figures.duration(max(0, ns)) for ns in (times[0], times[-1]))
        count = "1 chunk" if len(times) == 1 else f"{len(times)} chunks"
        yield turns.Row("events", f"{count}, the first after {first}, the last {last}", "aside")


def _event(event: Event, span: SpanRecord) -> Iterator[turns.Row]:
    attributes = event["attributes"]
    if event["name"] != "exception":
        after = figures.duration(max(0, event["time_ns"] - span.start_ns))
        yield turns.Row(
            "event", f"{event['name']} after {after} {_pairs(attributes.items())}", "aside"
        )
        return
    kind, message = attributes.get("exception.type"), attributes.get("exception.message")
    yield turns.Row("error", f"{kind}: {message}" if message else str(kind))
    if stack := attributes.get(_STACK):
        yield turns.Row("stack", str(stack), "aside")


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
