"""Judge a tracing SDK: ``python -m tests.conformance.judge MODULE:CLASS [--json]``.

Prints in which cells its spans are complete and the program unchanged; fails if there is one in
which they are not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.conformance.clients import COLUMNS, Column
from tests.conformance.exits import ROWS, Row
from tests.conformance.matrix import Verdict, ascii_matrix, cells_of

_CELL_S: Final = 60.0
"""A cell that says nothing for so long is given up; its own waits end before."""
_BEGAN: Final = "began\n"
_MARK: Final = "verdict "


def judged(
    wrapper: str, only: Container[tuple[str, str]] | None = None, *, silence_s: float = _CELL_S
) -> Iterator[Verdict]:
    """Judge cells, all if not told, in processes of their own: none can hold the others up."""
    left = [
        (row, column)
        for row in ROWS
        for column in COLUMNS
        if only is None or (row.name, column.name) in only
    ]
    while left:
        process = _Worker(wrapper, left)
        for verdict in process.verdicts(silence_s):
            left = [cell for cell in left if (cell[0].name, cell[1].name) != verdict.cell]
            yield verdict
        if not process.began:
            raise RuntimeError(f"{wrapper} cannot be made: its process says why above")
        if left:
            (row, column), *left = left
            yield Verdict(row.name, column.name, [process.trouble])


class _Worker:
    """A process that judges cells, and may be lost."""

    def __init__(self, wrapper: str, left: Sequence[tuple[Row, Column]]) -> None:
        wanted = json.dumps([(row.name, column.name) for row, column in left])
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.judge", wrapper, "--cells", wanted],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.began = False
        """Whether the wrapper was made."""
        self.trouble = "crashes"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def verdicts(self, silence_s: float) -> Iterator[Verdict]:
        """What it says, until it ends or is silent for too long."""
        try:
            while (line := self._lines.get(timeout=silence_s)) is not None:
                if line == _BEGAN:
                    self.began = True
                elif line.startswith(_MARK):
                    yield Verdict(**json.loads(line.removeprefix(_MARK)))
        except queue.Empty:
            self.trouble = "hangs"
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()


def _work(wrapper: str, wanted: list[tuple[str, str]]) -> None:
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what an SDK prints is not for the judge
    logging.getLogger().addHandler(logging.NullHandler())  # they are counted, not shown
    for verdict in cells_of(wrapper, {(row, column) for row, column in wanted}):
        out.write(_BEGAN if verdict is None else f"{_MARK}{json.dumps(vars(verdict))}\n")
    os._exit(0)  # how an SDK behaves at the exit is a cell of its own


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wrapper", metavar="MODULE:CLASS")
    parser.add_argument("--json", action="store_true", help="one line of JSON a cell")
    parser.add_argument("--cells", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cells:
        _work(given.wrapper, json.loads(given.cells))
    verdicts = []
    with contextlib.suppress(KeyboardInterrupt):
        for verdict in judged(given.wrapper):
            verdicts.append(verdict)
            if given.json:
                print(json.dumps(vars(verdict)), flush=True)  # noqa: T201
    if not given.json:
        print(ascii_matrix(verdicts))  # noqa: T201
    return int(any(verdict.failures for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
