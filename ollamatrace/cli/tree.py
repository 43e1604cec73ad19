"""The table of spans that `ollamatrace show` begins with, indented as they called each other."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.text import Text

from ollamatrace.cli import figures, safe, screen
from ollamatrace.cli.turns import MODEL_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from ollamatrace.records import SpanRecord, Trace

_DEEPEST: Final = 12
"""Levels that are drawn; what is deeper stays there, or no room would be left for names."""


_WIDE: Final = 90


class Branch(NamedTuple):
    """A span and the lines that lead to it."""

    guide: str
    span: SpanRecord


def branches(trace: Trace, *, ascii_only: bool = False) -> list[Branch]:
    """Spans depth first, children in the order in which they started."""
    bar, fork, last = ("|  ", "|- ", "`- ") if ascii_only else ("│  ", "├─ ", "└─ ")
    children: defaultdict[str | None, list[SpanRecord]] = defaultdict(list)
    here = {span.span_id for span in trace.spans}
    for span in trace.spans:
        children[span.parent_id if span.parent_id in here else None].append(span)
    found: list[Branch] = []
    # A list instead of recursion: agents call themselves deeper than Python likes to.
    waiting = [("", "", span) for span in reversed(children[None])]
    while waiting:
        guide, below, span = waiting.pop()
        found.append(Branch(guide, span))
        inner = children.pop(span.span_id, [])
        deep = len(below) >= _DEEPEST * len(bar)
        for child in reversed(inner):
            end = child is inner[-1]
            room = below[: -len(bar)] if deep else below
            waiting.append((room + (last if end else fork), room + ("   " if end else bar), child))
    reached = {span.span_id for _, span in found}
    lost = [span for span in trace.spans if span.span_id not in reached]  # parents in a circle
    return found + [Branch("", span) for span in lost]


def table(found: list[Branch], width: int) -> Table:
    """One line a span: what it was, how it ended, how long things took.

    Args:
        found: The spans.
        width: Columns of the terminal; what does not fit stands below, with each span.
    """
    view = screen.table()
    view.add_column("#", justify="right", no_wrap=True, style="dim")
    view.add_column("span", min_width=8)
    view.add_column("kind", no_wrap=True, style="dim")
    view.add_column("status", no_wrap=True)
    view.add_column("took", justify="right", no_wrap=True)
    wanted = _FIGURES if width >= _WIDE else _FIGURES_NARROW
    shown = {title: [show(span) for _, span in found] for title, show in wanted.items()}
    shown = {title: cells for title, cells in shown.items() if any(cells)}
    for title in shown:
        view.add_column(title, justify="right", no_wrap=True)
    for index, (guide, span) in enumerate(found):
        name = Text(guide, style="dim", no_wrap=True, overflow="ellipsis")
        name.append(safe.one_line(span.name), style="not dim bold")
        view.add_row(
            str(index + 1),
            name,
            screen.cell(span.kind),
            screen.status(span),
            figures.duration(span.end_ns - span.start_ns),
            *(cells[index] for cells in shown.values()),
        )
    return view


def _tokens(span: SpanRecord) -> str:
    usage = span.usage
    if usage is None:
        return figures.ABSENT if span.kind in MODEL_KINDS else ""
    return figures.tokens(usage.input_tokens, usage.output_tokens)


def _time(ns: int | None) -> str:
    return "" if ns is None else figures.duration(ns)


# A column is there only if a span has something to put into it.
_FIGURES_NARROW: Final[dict[str, Callable[[SpanRecord], str]]] = {
    "tokens": _tokens,
    "ttft": lambda span: _time(span.timing.first_token_ns),
}
_FIGURES: Final[dict[str, Callable[[SpanRecord], str]]] = {
    **_FIGURES_NARROW,
    "load": lambda span: _time(span.timing.load_ns),
    "prompt": lambda span: _time(span.timing.prompt_eval_ns),
    "eval": lambda span: _time(span.timing.eval_ns),
}
