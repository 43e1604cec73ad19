"""What is in the file of a store, but in no trace any more: deleted, and not yet taken away."""

from __future__ import annotations

import contextlib
import sqlite3
from array import array
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from ollamatrace.store.connection import explained, open_reader
from ollamatrace.store.retention import THERE
from ollamatrace.store.text import folded
from ollamatrace.store.text import ghosts as text_ghosts

_AT_ONCE: Final = 32
"""Rows read in one transaction, so that nobody who writes is held up."""
_LEAST: Final = 6
"""Characters below which a document that has all grams of a text says little."""

# Contents that no span has, neither itself nor in a list, of the traces that are there.
_UNHELD: Final = f"""
    WITH RECURSIVE present (id) AS (
        SELECT span.id FROM span JOIN trace ON trace.id = span.trace WHERE {THERE}
    ),
    held (id) AS (
        SELECT link FROM part WHERE span IN (SELECT id FROM present)
        UNION
        SELECT link.previous FROM held JOIN link ON link.id = held.id
        WHERE link.previous IS NOT NULL
    )
    SELECT id FROM content WHERE id NOT IN (
        SELECT content FROM link WHERE id IN (SELECT id FROM held)
        UNION ALL
        SELECT content FROM use
        WHERE owner IN (SELECT id FROM present) OR -owner IN (SELECT id FROM held)
    )
"""  # noqa: S608  constants
_DELETED: Final = f"SELECT span.id FROM span JOIN trace ON trace.id = trace WHERE NOT {THERE}"  # noqa: S608  constants
_CONTENT: Final = "SELECT body FROM content WHERE id = ?"
_SPAN: Final = """
    SELECT name, experiment, model, session, rest, inputs, outputs FROM span WHERE id = ?
"""
_WITH_USES: Final = 2
"""The schema from which on a content that nobody holds stays for a while."""


def remains(path: Path) -> Iterator[tuple[str, list[str | bytes]]]:
    """Read what deleted traces have left in the tables of a store.

    Yields:
        Which row it is, and its texts; those that are ``bytes`` may be JSON.

    Raises:
        ConfigError: it is another program's file, or a newer version's.
        StoreError: it cannot be read.
    """
    for what, ids, row in (("deleted span", _DELETED, _SPAN), ("unused text", _UNHELD, _CONTENT)):
        found = array("q")
        with _reading(path) as connection:
            if connection is not None and _has_uses(connection):
                found.extend(one for (one,) in connection.execute(ids))
        for start in range(0, len(found), _AT_ONCE):
            rows: list[tuple[str, list[str | bytes]]] = []
            with _reading(path) as connection:
                if connection is None:
                    return
                for one in found[start : start + _AT_ONCE]:
                    values = connection.execute(row, (one,)).fetchone() or ()
                    rows.append((f"{what} {one}", [value for value in values if value]))
            yield from rows


def ghosts(path: Path, text: str) -> int:
    """How many documents of the text index have all of a text, though the store has no such row.

    Raises:
        ConfigError: it is another program's file, or a newer version's.
        StoreError: it cannot be read.
    """
    if len(text) < _LEAST:
        return 0
    with _reading(path) as connection:
        return text_ghosts(connection, folded(text)) if connection else 0


def _has_uses(connection: sqlite3.Connection) -> bool:
    return int(connection.execute("PRAGMA user_version").fetchone()[0]) >= _WITH_USES


@contextlib.contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection | None]:
    with explained(path, "read"):
        connection = open_reader(path)
        with contextlib.closing(connection) if connection else contextlib.nullcontext():
            yield connection
