"""However a call ends, it leaves one complete span, and the program as it is."""

from __future__ import annotations

import contextvars
import functools

import pytest

from tests.conformance.cells import run
from tests.conformance.clients import COLUMNS
from tests.conformance.exits import ROWS
from tests.conformance.judge import judged
from tests.conformance.matrix import cells_of
from tests.conformance.server import ModelServer

OURS = "tests.conformance.ours:Ollamatrace"
CELLS = [
    pytest.param(row.name, column.name, id=f"{row.name}-{column.name}")
    for row in ROWS
    for column in COLUMNS
]


@pytest.mark.parametrize(("row", "column"), CELLS)
def test_cell(row, column, verdicts):
    [verdict] = filter(None, cells_of(OURS, {(row, column)}))
    verdicts.append(verdict)
    assert verdict.failures == [], "\n".join(verdict.details)


RAISED = {
    "the server says an error": ("InternalServerError", "ResponseError"),
    "the client's own timeout": ("APITimeoutError", "ReadTimeout"),
    "the server cuts the connection": ("APIConnectionError", "RemoteProtocolError"),
    "the program raises inside with": ("own",),
    "the program raises in a bare loop": ("own",),
    "task.cancel before the answer": ("CancelledError",),
    "task.cancel between chunks": ("CancelledError",),
    "asyncio.wait_for": ("TimeoutError",),
    "asyncio.timeout": ("TimeoutError",),
    "Ctrl-C before the answer": ("KeyboardInterrupt",),
    "Ctrl-C between chunks": ("KeyboardInterrupt",),
}
TEXTS = {"exhausted": 4, "answered": 1, "never": 0, "before": 0, "error": 0, "own": 0}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.process], ids=lambda row: row.name)
def test_the_rows_are_what_they_are_called(row):
    with ModelServer() as server:
        for column in COLUMNS:
            if row.absent(column) is None:
                bare = run(row, column, server, None)
                names = {error.partition(":")[0] for error in bare.raised[-1:]}
                assert names <= set(RAISED.get(row.name, ())), bare.raised
                assert bool(names) == (row.name in RAISED)
                texts = [number for word, number in TEXTS.items() if word in row.name.split()]
                texts += [0] if row.name.endswith("not read") else [2]
                assert len(bare.texts) == texts[0]


EVERYWHERE = {column.name for column in COLUMNS}


@pytest.mark.parametrize(
    ("wrapper", "row", "columns", "failure"),
    [
        ("LosesDropped", "never read", EVERYWHERE, "no span"),
        ("LosesDropped", "break, then collected", EVERYWHERE, "no span"),
        ("LosesDropped", "exhausted", set(), ""),
        ("BareGenerators", "break inside with", {"openai"}, "changed: TypeError"),
        ("BareGenerators", "never read", {"openai", "ollama"}, "no span"),
        ("BareGenerators", "exhausted", set(), ""),
        ("Talks", "answered", EVERYWHERE, "log lines"),
        ("Talks", "closed", EVERYWHERE, "log lines"),
        ("StaysCurrent", "exhausted", EVERYWHERE, "stays current"),
        ("StaysCurrent", "answered", EVERYWHERE, "stays current"),
        ("EndsTwice", "closed", EVERYWHERE, "2 spans"),
        ("ForgetsParents", "closed", EVERYWHERE, "no parent"),
        ("CallsAllOk", "task.cancel between chunks", {"openai async", "ollama async"}, "status OK"),
        ("CallsAllOk", "Ctrl-C between chunks", EVERYWHERE, "status OK"),
        ("ForgetsTexts", "break inside with", EVERYWHERE, "no text"),
    ],
)
def test_what_is_wrong_is_found(wrapper, row, columns, failure):
    cells = {(row, column) for column in EVERYWHERE}
    judge = functools.partial(cells_of, f"tests.conformance.broken:{wrapper}", cells)
    found = contextvars.copy_context().run(lambda: list(judge()))  # some leave things behind
    failed = {verdict.column: verdict.failures for verdict in found if verdict is not None}
    failed = {column: failures for column, failures in failed.items() if failures}
    assert set(failed) == columns, failed
    assert all(failure in failures for failures in failed.values()), failed


def test_what_hangs_does_not_hold_up_the_others():
    cells = {("answered", "ollama"), ("closed", "ollama"), ("exhausted", "ollama")}
    found = judged("tests.conformance.broken:Hangs", cells, silence_s=6)
    assert {verdict.row: verdict.failures for verdict in found} == {
        "answered": [],
        "closed": ["hangs"],
        "exhausted": [],
    }
