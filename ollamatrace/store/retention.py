"""Deleting whole traces, the one that ended first going first, in steps that are short.

A trace is deleted for every reader at once: its row gets a `trace_id` that no trace has. Its spans,
and what only they hold, are then taken away one after the other, by whoever has the time; what is
not done in one transaction is found by the next, also by that of another process.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from ollamatrace.store.garbage import Garbage, some

THERE: Final = "+trace_id < '~'"
"""Of a trace that is not deleted; the sign keeps SQLite from looking for it by an index."""
_DELETED: Final = "SELECT id FROM trace WHERE trace_id >= '~' LIMIT 1"
_DELETE: Final = "UPDATE trace SET trace_id = '~' || id WHERE id = ?"
_OLDEST: Final = f"SELECT id, end_ns FROM trace WHERE {THERE} ORDER BY end_ns, id LIMIT 1"  # noqa: S608  constants
_USED: Final = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""
_SPANS: Final = 16
"""Spans that are read at once."""
_LINKS: Final = 1000


class Limits(NamedTuple):
    """What a trace must be within to be kept.

    Attributes:
        max_bytes: The most bytes that the file has in use.
        after: ``(end_ns, row id)``: what ended before goes.
    """

    max_bytes: float = float("inf")
    after: tuple[int, int] = (0, 0)


class Swept(NamedTuple):
    """What one step did.

    Attributes:
        traces: How many traces it deleted.
        oversize: How many of them because of the file's size.
        more: Whether there is more to do.
    """

    traces: int
    oversize: int
    more: bool


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the file that are in use; free pages, which come next, do not count."""
    return cast("int", connection.execute(_USED).fetchone()[0])


def delete(connection: sqlite3.Connection, traces: Sequence[int]) -> None:
    """Delete traces, by their row ids, for everybody who reads from now on."""
    connection.executemany(_DELETE, [(trace,) for trace in traces])


def sweep(connection: sqlite3.Connection, limits: Limits, seconds: float) -> Swept:
    """Take away what is deleted, then delete what is beyond `limits`, until the time is over."""
    deadline = time.monotonic() + seconds
    garbage = Garbage(connection)
    left = connection.execute("SELECT id FROM loose LIMIT ?", (_LINKS,)).fetchall()
    garbage.links += [row[0] for row in left]
    connection.executemany("DELETE FROM loose WHERE id = ?", left)
    traces = oversize = 0
    more = True
    while more and time.monotonic() < deadline:
        if garbage.links:
            garbage.look()
        elif (row := connection.execute(_DELETED).fetchone()) is not None:
            _take_away(connection, garbage, row[0], deadline)
        else:
            trace, is_oversize = _beyond(connection, limits)
            if trace is None:
                more = False
            else:
                delete(connection, [trace])
                traces += 1
                oversize += is_oversize
    connection.executemany("INSERT OR IGNORE INTO loose VALUES (?)", [(x,) for x in garbage.links])
    more = more or len(left) == _LINKS
    return Swept(traces, oversize, more)


def _beyond(connection: sqlite3.Connection, limits: Limits) -> tuple[int | None, bool]:
    """The trace to be deleted next, and whether that is because of the size."""
    row = connection.execute(_OLDEST).fetchone()
    if row is None:
        return None, False
    trace, end_ns = row
    if (max(end_ns, 0), trace) < limits.after:  # a clock may have stood before 1970
        return trace, False
    if used_bytes(connection) > limits.max_bytes:
        return trace, True
    return None, False


def _take_away(
    connection: sqlite3.Connection, garbage: Garbage, trace: int, deadline: float
) -> None:
    """Take away spans of a deleted trace, and at last its row."""
    rows = some(connection, trace, _SPANS)
    for row in rows:
        garbage.release(row)
        connection.execute("DELETE FROM span WHERE id = ?", (row[0],))
        if time.monotonic() >= deadline:
            return
    if len(rows) < _SPANS:
        connection.execute("DELETE FROM trace WHERE id = ?", (trace,))
