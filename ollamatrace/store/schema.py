"""The tables, as an append-only list of migrations, and whose file it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from ollamatrace.errors import ConfigError

APPLICATION_ID: Final = int.from_bytes(b"olmt", "big")

# A span row that is written again gets a new id, and ids are never used twice (AUTOINCREMENT):
# what `part` and the text index say about the old row then points nowhere, and nothing has to be
# looked up to delete it. A later migration may add tables; these statements never change.
_FIRST: Final = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    # Texts and list elements, once each.
    "CREATE TABLE content (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL)",
    # One row a list prefix: the hash covers the previous row's hash and the element.
    """CREATE TABLE link (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        hash BLOB NOT NULL UNIQUE,
        previous INTEGER REFERENCES link,
        content INTEGER NOT NULL REFERENCES content
    )""",
    "CREATE INDEX link_previous ON link (previous)",
    # start_ns is that of the first span: what traces are sorted by.
    """CREATE TABLE trace (
        id INTEGER PRIMARY KEY,
        trace_id TEXT NOT NULL UNIQUE,
        start_ns INTEGER NOT NULL
    )""",
    "CREATE INDEX trace_start ON trace (start_ns)",
    """CREATE TABLE span (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        trace INTEGER NOT NULL REFERENCES trace,
        experiment TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_id TEXT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL,
        status TEXT NOT NULL,
        model TEXT,
        session TEXT,
        rest BLOB NOT NULL,
        inputs BLOB NOT NULL,
        outputs BLOB NOT NULL,
        UNIQUE (trace, span_id)
    )""",
    # All that a search filters by, so that it need not touch the rows themselves.
    """CREATE INDEX span_filter
        ON span (trace, start_ns, status, model, session, experiment)""",
    # Which lists a span holds, by their last link.
    """CREATE TABLE part (
        link INTEGER NOT NULL,
        span INTEGER NOT NULL,
        PRIMARY KEY (link, span)
    ) WITHOUT ROWID""",
    # How far the text index has come, see ollamatrace.store.text.
    "CREATE TABLE indexed (span INTEGER NOT NULL, link INTEGER NOT NULL)",
    "INSERT INTO indexed VALUES (0, 0)",
)

MIGRATIONS: Final = (_FIRST,)


def version(connection: sqlite3.Connection, path: Path) -> int:
    """How many migrations the file has had; 0 for an empty one.

    Raises:
        ConfigError: it is another program's file, or a newer ollamatrace wrote it.
    """
    # In this order: another process may create the tables in between.
    if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        return 0
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ConfigError(f"{path} is the database of another program; choose another path")
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > len(MIGRATIONS):
        raise ConfigError(
            f"{path} was written by a newer ollamatrace (schema {found}, this one knows "
            f"{len(MIGRATIONS)}); upgrade, or choose another path"
        )
    return found


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this version, one transaction a migration.

    Raises:
        ConfigError: it is not a file that this version may write.
    """
    while (before := version(connection, path)) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            if version(connection, path) != before:
                continue  # another process was here first
            for statement in MIGRATIONS[before]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {before + 1}")
