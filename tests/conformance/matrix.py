"""All cells of a wrapper, and their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.conformance.cells import Outcome, details, failures, load, run, run_process
from tests.conformance.clients import COLUMNS, Column
from tests.conformance.exits import ROWS, Row
from tests.conformance.server import ModelServer
from tests.conformance.wrapper import Wrapper


@dataclass
class Verdict:
    """What came out of a cell."""

    row: str
    column: str
    failures: list[str] = field(default_factory=list)
    absent: str | None = None
    """Why there is nothing to say."""
    details: list[str] = field(default_factory=list)
    """What was seen, if something is wrong."""

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
        bare = [_bare(row, column, server, kind) for row, column in cells]
        made = kind()
        yield None
        try:
            for (row, column), before in zip(cells, bare, strict=True):
                if isinstance(before, str):
                    yield Verdict(row.name, column.name, absent=before)
                    continue
                outcome = _run(row, column, server, made, wrapper)
                found = failures(row, before, outcome, knows_cancelled=kind.knows_cancelled)
                said = details(row, before, outcome) if found else []
                yield Verdict(row.name, column.name, found, details=said)
        finally:
            made.close()


def _bare(row: Row, column: Column, server: ModelServer, kind: type[Wrapper]) -> Outcome | str:
    """What the bare client does, or why the cell is empty."""
    absent = row.absent(column)
    if absent is not None:
        return absent
    if column.name not in kind.columns:
        return f"{kind.name} does not trace it"
    outcome = _run(row, column, server, None, "bare")
    if row.if_bare_survives and outcome.raised:
        return f"the bare client raises {outcome.raised[0]}"
    return outcome


def _run(row: Row, column: Column, server: ModelServer, made: Wrapper | None, name: str) -> Outcome:
    if row.process:
        return run_process(row, column, server.url, name)
    return run(row, column, server, made)


def ascii_matrix(verdicts: Sequence[Verdict]) -> str:
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
    reasons: dict[str, dict[str, None]] = {}
    for verdict in verdicts:
        if verdict.absent is not None:
            reasons.setdefault(verdict.absent, {})[verdict.row] = None
    notes = "\n".join(f"– {reason}: {'; '.join(rows)}" for reason, rows in reasons.items())
    return f"{drawn}\n\n{notes}".rstrip()
