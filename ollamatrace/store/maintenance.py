"""Deleting traces on demand, for good: nothing of them is left in the file or its log."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final, cast

from ollamatrace.errors import StoreError
from ollamatrace.store.connection import explained, open_writer
from ollamatrace.store.retention import THERE, Limits, delete, sweep, used_bytes

_WAIT_S: Final = 30.0
"""How long other processes that write are waited for."""
_STEP_S: Final = 0.01
_ALONE_S: Final = 0.001
_AMONG_OTHERS_S: Final = 0.02
"""How long the others get the file between two steps, if there are any."""
_AT_ONCE: Final = 500


class Maintenance:
    """A connection of its own to a store that exists; to be closed.

    Args:
        path: The file.

    Raises:
        ConfigError: it is another program's file, or a newer version's.
        StoreError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with explained(path, "write"):
            self._connection = open_writer(path, wait_s=_WAIT_S)
            # What is deleted is overwritten at once, also if the file cannot be written anew.
            self._connection.execute("PRAGMA secure_delete = ON")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def delete(self, trace_ids: Sequence[str]) -> Generator[int]:
        """Delete these traces; gives now and then how many more are deleted.

        Raises:
            StoreError: the file cannot be written.
        """
        for first in range(0, len(trace_ids), _AT_ONCE):
            wanted = trace_ids[first : first + _AT_ONCE]
            marks = ", ".join("?" * len(wanted))
            query = f"SELECT id FROM trace WHERE trace_id IN ({marks})"  # noqa: S608
            with explained(self._path, "write"), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                rows = self._connection.execute(query, wanted).fetchall()
                delete(self._connection, [row[0] for row in rows])
            yield len(rows)
            yield from self.keep_within(Limits())

    def keep_within(self, limits: Limits) -> Generator[int]:
        """Delete what is beyond `limits`; gives now and then how many more are deleted.

        Raises:
            StoreError: the file cannot be written.
        """
        more = True
        while more:
            before = self._changes_of_others()
            with explained(self._path, "write"), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                swept = sweep(self._connection, limits, _STEP_S)
            more = swept.more
            yield swept.traces
            alone = self._changes_of_others() == before
            time.sleep(_ALONE_S if alone else _AMONG_OTHERS_S)

    def newest(self, count: int) -> tuple[int, int]:
        """What `Limits.after` is so that only the `count` newest traces stay."""
        query = f"""
            SELECT end_ns, id FROM trace WHERE {THERE} ORDER BY end_ns DESC, id DESC
            LIMIT 1 OFFSET ?
        """  # noqa: S608  a constant
        with explained(self._path, "read"):
            row = self._connection.execute(query, (count - 1,)).fetchone()
        return (0, 0) if row is None else row

    def compact(self) -> None:
        """Write the file anew without free space, and empty its log.

        Raises:
            StoreError: there is too little room on the disk, or somebody reads for too long.
        """
        try:
            with explained(self._path, "write"):
                self._forget_deleted_text()
                self._connection.execute("VACUUM")
                self._checkpoint()
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode in _NO_ROOM:
                need = self._path.stat().st_size
                raise StoreError(
                    f"the traces are deleted, but the file keeps its size: writing {self._path} "
                    f"anew takes up to {2 * need / 1e6:.0f} MB of free disk space; make room and "
                    "run `ollamatrace prune` again"
                ) from error
            raise

    def _forget_deleted_text(self) -> None:
        """Have the text index drop what it had marked as deleted."""
        query = "SELECT 1 FROM sqlite_master WHERE name = 'text_index'"
        if self._connection.execute(query).fetchone() is None:
            return
        try:
            self._connection.execute("INSERT INTO text_index (text_index) VALUES ('optimize')")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise  # else this SQLite cannot read the index

    def _checkpoint(self) -> None:
        busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise StoreError(
                f"the traces are deleted, but their text is still in {self._path}: a program has "
                "been reading it all the time; end it, and run `ollamatrace prune` again"
            )

    def _changes_of_others(self) -> int:
        return cast("int", self._connection.execute("PRAGMA data_version").fetchone()[0])

    @property
    def used_bytes(self) -> int:
        """Bytes that are in use, without the free space in the file."""
        with explained(self._path, "read"):
            return used_bytes(self._connection)

    @property
    def file_bytes(self) -> int:
        """What the file takes, or will when its log is in it."""
        with explained(self._path, "read"):
            [pages], [size] = (
                self._connection.execute(f"PRAGMA {name}").fetchone()
                for name in ("page_count", "page_size")
            )
        return cast("int", pages * size)


_NO_ROOM: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR})
