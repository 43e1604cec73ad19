"""How a store is, as far as it can be seen without changing it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ollamatrace.errors import StoreError
from ollamatrace.store.connection import explained, open_reader
from ollamatrace.store.retention import THERE
from ollamatrace.store.schema import MIGRATIONS, version

_WAIT_S: Final = 1.0
_TRACES: Final = f"SELECT count(*) FROM trace WHERE {THERE}"  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class Condition:
    """What was found.

    Attributes:
        size: Bytes of the file and its log; 0 if there is no file yet.
        traces: How many it has.
        spans: How many it has.
        schema: How many migrations it has had.
        journal: SQLite's journal mode; empty if there is no file yet.
        unwritable: Why it cannot be written; ``None`` if it can.
        free: The free bytes of its disk.
        mode: Its permissions.
    """

    size: int
    traces: int
    spans: int
    schema: int
    journal: str
    unwritable: str | None
    free: int
    mode: int


def examine(path: Path) -> Condition:
    """Look at a store.

    Raises:
        ConfigError: it is another program's file, or a newer version's.
        StoreError: it cannot be read.
    """
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    traces = spans = schema = 0
    journal = ""
    with explained(path, "read"):
        free = shutil.disk_usage(existing).free
        connection = open_reader(path)
        if connection is not None:
            with contextlib.closing(connection):
                (traces,) = connection.execute(_TRACES).fetchone()
                (spans,) = connection.execute("SELECT count(*) FROM span").fetchone()
                (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
                schema = version(connection, path)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0
        log = path.with_name(path.name + "-wal")
        size = sum(one.stat().st_size for one in (path, log) if one.exists())
    return Condition(size, traces, spans, schema, journal, _unwritable(path, existing), free, mode)


def is_current(schema: int) -> bool:
    """Whether a store of this schema needs no migration."""
    return schema == len(MIGRATIONS)


def _unwritable(path: Path, existing: Path) -> str | None:
    if path.exists():
        return _unlockable(path)
    if not existing.is_dir():
        return f"{existing} is no folder"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"nothing may be made in {existing}"
    return None


def _unlockable(path: Path) -> str | None:
    """Begin to write, and leave it at that."""
    try:
        with explained(path, "write"):
            uri = f"{path.absolute().as_uri()}?mode=rw"
            connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
    except StoreError as error:
        return str(error)
    return None if os.access(path.parent, os.W_OK) else f"nothing may be made in {path.parent}"
