"""What the demo shows in the end: the trace as it was read back, and where to look."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from rich.text import Text

from ollamatrace.cli import screen
from ollamatrace.records.view import figures, safe, turns
from ollamatrace.records.view.branches import branches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ollamatrace import FlushReport
    from ollamatrace.records import SpanRecord, Trace

_STORE: Final = "sqlite:///"


def demo_table(trace: Trace, titles: Sequence[str]) -> Table:
    """A line for each span below the root; its direct children are the steps, in order."""
    view = screen.table()
    view.add_column("step", no_wrap=True)
    view.add_column("span", no_wrap=True)
    view.add_column("model", max_width=17)
    view.add_column("status", no_wrap=True)
    view.add_column("tokens", justify="right", no_wrap=True)
    view.add_column("ttft", justify="right", no_wrap=True)
    view.add_column("took", justify="right", no_wrap=True)
    view.add_column("answer", min_width=8)
    steps = iter(titles)
    for _, span, _ in branches(trace):
        if span is trace.root:
            continue
        is_step = span.parent_id == trace.root.span_id
        usage = span.usage
        view.add_row(
            next(steps, "") if is_step else "",
            screen.cell(span.name if is_step else f" {span.name}"),
            screen.cell(span.model or ""),
            screen.status(span),
            figures.tokens(usage.input_tokens, usage.output_tokens) if usage else figures.ABSENT,
            figures.duration(span.timing.first_token_ns),
            figures.duration(span.end_ns - span.start_ns),
            screen.cell(_preview(span)),
        )
    return view


def pointers(trace: Trace, report: FlushReport, store: str | None, page: str | None) -> Text:
    """Where the trace is, and what shows it: its page, else the commands.

    Args:
        trace: As it was read back.
        report: Names the destinations.
        store: What ``--store`` said.
        page: The address of the trace's page, if it has one.
    """
    where = ", ".join(url.removeprefix(_STORE) for url in report.destinations)
    option = f" --store {shlex.quote(store)}" if store is not None else ""
    spans = len(trace.spans)
    text = Text(f"{spans} spans, read back from {safe.clean(where)}\n")
    if page is not None:
        return text.append(f"  {page}", style="cyan")
    for command in ("ls", f"show {trace.trace_id}"):
        text.append(f"  ollamatrace {command}{option}\n", style="cyan")
    text.rstrip()
    return text


def _preview(span: SpanRecord) -> str:
    if span.status == "ERROR":
        return span.status_message
    return turns.answer(span)
