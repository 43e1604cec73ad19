"""All cells of a wrapper, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.conformance.cells import Outcome, failures, load, run, run_process
from tests.conformance.clients import COLUMNS, Column
from tests.conformance.exits import ROWS, Row
from tests.conformance.server import ModelServer


@dataclass
class Verdict:
    """What came out of a cell."""

    row: str
    column: str
    failures: list[str] = field(default_factory=list)
    absent: str | None = None
    """Why there is nothing to say."""

    @property
    def cell(self) -> tuple[str, str]:
        return self.row, self.column

    def __str__(self) -> str:
        if self.absent is not None:
            return "–"
        return ", ".join(self.failures) or "yes"


def cells_of(wrapper: str, wanted: set[tuple[str, str]] | None = None) -> Iterator[Verdict | None]:
    """Judge cells in this process: first all of them bare, then (``None``) the wrapper is made."""
    cells = [
        (row, column)
        for row in ROWS
        for column in COLUMNS
        if wanted is None or (row.name, column.name) in wanted
    ]
    kind = load(wrapper)
    with ModelServer() as server:
        bare: dict[tuple[str, str], Outcome] = {}
        for row, column in cells:
            absent = row.absent(column)
            if column.name not in kind.columns:
                absent = f"{kind.name} does not trace it"
            if absent is None:
                outcome = _run(row, column, server, None, "bare")
                bare[row.name, column.name] = outcome
                if row.if_bare_survives and outcome.raised:
                    absent = f"the bare client raises {outcome.raised[0]}"
            if absent is not None:
                bare.pop((row.name, column.name), None)
                yield Verdict(row.name, column.name, absent=absent)
        made = kind()
        yield None
        try:
            for row, column in cells:
                if (row.name, column.name) in bare:
                    outcome = _run(row, column, server, made, wrapper)
                    found = failures(
                        row,
                        bare[row.name, column.name],
                        outcome,
                        knows_cancelled=kind.knows_cancelled,
                    )
                    yield Verdict(row.name, column.name, found)
        finally:
            made.close()


def _run(row: Row, column: Column, server: ModelServer, made: object, name: str) -> Outcome:
    if row.process:
        return run_process(row, column, server.url, name)
    return run(row, column, server, made)


def ascii_matrix(verdicts: Iterable[Verdict]) -> str:
    """The table for a terminal, and why cells are empty."""
    texts = {verdict.cell: str(verdict) for verdict in verdicts}
    head = ["exit", *(column.name for column in COLUMNS)]
    lines = [
        [row.name, *(texts.get((row.name, column.name), "") for column in COLUMNS)]
        for row in ROWS
        if any((row.name, column.name) in texts for column in COLUMNS)
    ]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    table = [head, ["─" * width for width in widths], *lines]
    drawn = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )
    reasons: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.absent is not None:
            reasons.setdefault(verdict.absent, []).append(f"{verdict.row} ({verdict.column})")
    notes = "\n".join(f"– {reason}: {'; '.join(where)}" for reason, where in reasons.items())
    return f"{drawn}\n\n{notes}".rstrip()
