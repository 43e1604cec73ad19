"""The table of spans that `ollamatrace show` begins with, indented as they called each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from ollamatrace.cli import screen
from ollamatrace.records.view import figures, safe
from ollamatrace.records.view.turns import MODEL_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from ollamatrace.records import SpanRecord
    from ollamatrace.records.view.branches import Branch

_WIDE: Final = 90


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
    shown = {title: [show(span) for _, span, _ in found] for title, show in wanted.items()}
    shown = {title: cells for title, cells in shown.items() if any(cells)}
    for title in shown:
        view.add_column(title, justify="right", no_wrap=True)
    for index, (guide, span, _) in enumerate(found):
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
