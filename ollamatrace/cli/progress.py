"""How far long work has come, on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ollamatrace.cli import screen
from ollamatrace.records.view import safe


@contextmanager
def progress(title: str, total: int, unit: str) -> Generator[Callable[[int, str], None]]:
    """Show a bar while the block runs; gives what is to be told how many are done, and a remark."""
    notes = screen.notes()
    if not notes.is_terminal:
        yield _nowhere
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}", markup=False),
        TimeElapsedColumn(),
        console=notes,
        transient=True,
    ) as bar:
        task = bar.add_task(safe.one_line(title), total=total, unit=unit)
        said = ""

        def tell(done: int, remark: str) -> None:
            nonlocal said
            if remark and remark != said:
                notes.print(Text(safe.one_line(remark), style="yellow"), soft_wrap=True)
                said = remark
            most = max(total, done)  # more may have come meanwhile
            bar.update(task, completed=done, total=most)

        yield tell


def _nowhere(_done: int, _remark: str) -> None:
    """Nobody looks."""
