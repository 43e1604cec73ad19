"""What `ollamatrace show` tells about a trace and, below its tree, about each span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ollamatrace.cli import screen, tree
from ollamatrace.records.view import facts, safe
from ollamatrace.records.view.branches import branches

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ollamatrace.records import SpanRecord, Trace

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


def print_trace(console: Console, trace: Trace) -> None:
    """Print the whole trace: head, tree, then every span."""
    console.print(_head(trace))
    console.print()
    found = branches(trace, ascii_only=console.options.ascii_only)
    console.print(tree.table(found, console.width))
    root = trace.root
    for number, (_, span, _) in enumerate(found, 1):
        console.print()
        console.print(_title(number, span))
        console.print(_rows(span, root))


def _head(trace: Trace) -> Text:
    root = trace.root
    head = Text(f"trace {trace.trace_id}\n", style="bold")
    head.append(safe.one_line(root.name), style="not bold cyan")
    head.append(f" {root.status} ", style=screen.STATUS_STYLE.get(root.status, ""))
    head.append(" · ".join(facts.head(trace)), style="not bold")
    return head


def _title(number: int, span: SpanRecord) -> Text:
    title = Text(f"{number}  {safe.one_line(span.name)}", style="bold")
    title.append(f"  {safe.one_line(' · '.join(facts.title(span)))}", style="not bold dim")
    return title


def _rows(span: SpanRecord, root: SpanRecord) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=_LABEL_WIDTH, max_width=2 * _LABEL_WIDTH)
    grid.add_column()
    for label, text, tone, _ in facts.rows(span, root):
        style = _LABEL_STYLE.get(label, "") if tone == "said" else "dim"
        body = {"aside": "dim", "value": ""}.get(tone, _BODY_STYLE.get(label, ""))
        grid.add_row(screen.cell(label, style), screen.block(text, body))
    return Padding(grid, (0, 0, 0, 3))
