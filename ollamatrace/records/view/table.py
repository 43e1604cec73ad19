"""A list of traces as a table: for notebooks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from ollamatrace.records.view import figures
from ollamatrace.records.view.harmless import harmless
from ollamatrace.records.view.paper import badge, mono, short, unreadable, whole
from ollamatrace.records.view.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ollamatrace.records import Trace

_TRACES: Final = 100
"""Traces that are shown."""
_NAME: Final = 24
_SHORT_ID: Final = 8
_QUESTION: Final = 90
_COLUMNS: Final = {
    "": "number",
    "trace": "",
    "when": "",
    "name": "wide",
    "status": "",
    "model": "wide",
    "spans": "number",
    "tokens": "number",
    "took": "number",
    "question": "wide",
}
"""Their titles and classes."""


@harmless(unreadable)
def traces_html(traces: Sequence[Trace]) -> str:
    """One line for each trace."""
    if not traces:
        return whole("no traces")
    heads = "".join(_cell("th", title, kind) for title, kind in _COLUMNS.items())
    now = datetime.now().astimezone()
    rows = "".join(
        f"<tr>{_row(index, trace, now)}</tr>" for index, trace in enumerate(traces[:_TRACES])
    )
    table = f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
    left = figures.counted(len(traces) - _TRACES, "more trace")
    rest = f'<div class="cut">… {left}</div>' if len(traces) > _TRACES else ""
    return whole(f'<table class="traces">{table}</table>', rest)


def _row(index: int, trace: Trace, now: datetime) -> str:
    short_id = mono(trace.trace_id[:_SHORT_ID], title=trace.trace_id)
    if not trace.spans:
        return _cell("td", str(index), "number") + _cell("td", short_id)
    summary, root = Summary.of(trace), trace.root
    cells = (
        str(index),
        short_id,
        figures.short_moment(root.start_ns, now),
        short(root.name, _NAME),
        badge(root.status),
        short(", ".join(summary.models) or figures.ABSENT, _NAME),
        figures.count(len(trace.spans)),
        figures.tokens(summary.input_tokens, summary.output_tokens),
        figures.duration(summary.duration_ns),
        short(summary.question, _QUESTION),
    )
    return "".join(
        _cell("td", cell, kind) for cell, kind in zip(cells, _COLUMNS.values(), strict=True)
    )


def _cell(tag: str, text: str, kind: str = "") -> str:
    return f'<{tag} class="{kind}">{text}</{tag}>' if kind else f"<{tag}>{text}</{tag}>"
