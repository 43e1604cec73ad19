"""The tables, as an append-only list of migrations, and whose file it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ollamatrace.errors import ConfigError
from ollamatrace.store.content import references

APPLICATION_ID: Final = int.from_bytes(b"olmt", "big")

# A span row that is written again gets a new id, and ids are never used twice (AUTOINCREMENT):
# should the text index still say something about the old row, it points nowhere. Ids of contents
# are used again; only `link` and `use` have them, and these rows go before the content does.
# A later migration may add tables; these statements never change.
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


def _note_uses(connection: sqlite3.Connection) -> None:
    """Note which texts are used by what is there."""
    for query in (
        "SELECT id, rest, inputs, outputs FROM span",
        # Of many links few have a text.
        """SELECT -link.id, content.body FROM link JOIN content ON content.id = link.content
            WHERE instr(content.body, CAST('$ollamatrace' AS BLOB))""",
    ):
        for owner, *bodies in connection.execute(query):
            for body in bodies:
                for kind, digest in references(body):
                    if kind != "list":
                        use = "INSERT OR IGNORE INTO use SELECT id, ? FROM content WHERE hash = ?"
                        connection.execute(use, (owner, digest))


# What it takes to delete traces: which end first, and what only they use.
_SECOND: Final = (
    # The row of a trace that is deleted gets another trace_id, see ollamatrace.store.retention, and
    # goes when it has no spans any more: its id is not used again as long as there are some.
    """CREATE TABLE newer (
        id INTEGER PRIMARY KEY,
        trace_id TEXT NOT NULL UNIQUE,
        start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL
    )""",
    """INSERT INTO newer
        SELECT trace.id, trace_id, min(span.start_ns), max(span.end_ns)
        FROM trace JOIN span ON span.trace = trace.id GROUP BY trace.id""",
    "DROP TABLE trace",
    "ALTER TABLE newer RENAME TO trace",
    "CREATE INDEX trace_start ON trace (start_ns)",
    "CREATE INDEX trace_end ON trace (end_ns)",
    # Who refers to a text: a span, or a link (by minus its row id).
    """CREATE TABLE use (
        content INTEGER NOT NULL,
        owner INTEGER NOT NULL,
        PRIMARY KEY (content, owner)
    ) WITHOUT ROWID""",
    _note_uses,
    "CREATE INDEX link_content ON link (content)",
    # Without the first ones of lists, which are many and have none before.
    "DROP INDEX link_previous",
    "CREATE INDEX link_previous ON link (previous) WHERE previous IS NOT NULL",
    # Links that perhaps nobody holds, and nobody has looked at yet.
    "CREATE TABLE loose (id INTEGER PRIMARY KEY)",
    "DELETE FROM part WHERE NOT EXISTS (SELECT 1 FROM span WHERE span.id = part.span)",
    """INSERT INTO loose SELECT id FROM link
        WHERE NOT EXISTS (SELECT 1 FROM part WHERE part.link = link.id)
        AND NOT EXISTS (SELECT 1 FROM link AS next WHERE next.previous = link.id)""",
    """DELETE FROM content
        WHERE NOT EXISTS (SELECT 1 FROM use WHERE use.content = content.id)
        AND NOT EXISTS (SELECT 1 FROM link WHERE link.content = content.id)""",
)

MIGRATIONS: Final[tuple[tuple[str | Callable[[sqlite3.Connection], None], ...], ...]] = (
    _FIRST,
    _SECOND,
)


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
                if isinstance(statement, str):
                    connection.execute(statement)
                else:
                    statement(connection)
            connection.execute(f"PRAGMA user_version = {before + 1}")
