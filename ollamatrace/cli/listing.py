"""The table of `ollamatrace ls`: one trace a line, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from ollamatrace.cli import screen
from ollamatrace.records.view import figures
from ollamatrace.records.view.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.table import Table

    from ollamatrace.records import Trace

_SHORTEST: Final = 8


def table(traces: Iterable[Trace], trace_ids: Callable[[str], list[str]]) -> Table:
    """Build it; `trace_ids` gives the ids that begin with a text, of the whole store."""
    view = screen.table()
    view.add_column("trace", no_wrap=True, style="cyan")
    view.add_column("when", no_wrap=True)
    view.add_column("name", max_width=16)
    view.add_column("status", no_wrap=True)
    view.add_column("spans", justify="right", no_wrap=True)
    view.add_column("model", max_width=22)
    view.add_column("tokens", justify="right", no_wrap=True)
    view.add_column("took", justify="right", no_wrap=True)
    view.add_column("question", min_width=8)
    now = datetime.now().astimezone()
    for trace in traces:
        summary = Summary.of(trace)
        view.add_row(
            short_id(trace.trace_id, trace_ids),
            figures.short_moment(trace.root.start_ns, now),
            screen.cell(trace.root.name),
            screen.status(trace.root),
            str(len(trace.spans)),
            screen.cell(", ".join(summary.models) or figures.ABSENT),
            figures.tokens(summary.input_tokens, summary.output_tokens),
            figures.duration(summary.duration_ns),
            screen.cell(summary.question),
        )
    return view


def short_id(trace_id: str, trace_ids: Callable[[str], list[str]]) -> str:
    """The shortest beginning of an id, from 8 digits on, that only this trace has."""
    length = _SHORTEST
    for other in trace_ids(trace_id[:_SHORTEST]):
        while other != trace_id and other.startswith(trace_id[:length]):
            length += 1
    return trace_id[:length]
