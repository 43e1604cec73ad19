"""The terminal: its two streams, its colours, and how a cell of recorded text gets there."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ollamatrace.records.view import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ollamatrace.records import SpanRecord

STATUS_STYLE: Final = {"OK": "green", "ERROR": "bold red", "CANCELLED": "yellow"}
_PIPED_WIDTH: Final = 160
"""A pipe or a file has no width; this one cuts little off."""


def standard() -> Console:
    """What the user asked for, on stdout."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPED_WIDTH
    return console


def notes() -> Console:
    """Everything else, on stderr, so that stdout may be piped."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def note(text: str, style: str = "") -> None:
    """Say something on stderr; its lines are not broken, so that paths can be copied."""
    notes().print(Text(safe.clean(text), style=style), soft_wrap=True)


def keep_warnings() -> None:
    """Have the package's own warnings not printed: the command says what is in them."""
    logging.getLogger("ollamatrace").addHandler(logging.NullHandler())


def write_lines(spans: Iterable[SpanRecord]) -> None:
    """Write canonical record lines to stdout, in UTF-8 whatever the terminal speaks."""
    out = sys.stdout.buffer
    for span in spans:
        out.write(span.line() + b"\n")
    out.flush()


def write_json(line: bytes) -> None:
    """Write one JSON object on a line of its own."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def cell(text: str, style: str = "") -> Text:
    """Recorded text on one line, cut by the table if need be."""
    return Text(safe.one_line(text), style=style, no_wrap=True, overflow="ellipsis")


def block(text: str, style: str = "") -> Text:
    """Recorded text with its own lines, wrapped where they are too long."""
    return Text(safe.clean(text).strip("\n"), style=style, overflow="fold")


def status(span: SpanRecord) -> Text:
    """The status in its colour."""
    return Text(span.status, style=STATUS_STYLE.get(span.status, ""), no_wrap=True)


def table() -> Table:
    """An empty table in the one look that all of them have.

    Columns with ``no_wrap`` keep their width; what there is too little room for, others lose.
    """
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
