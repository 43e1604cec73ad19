"""Opening the file, and saying in plain words why it could not be."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from ollamatrace.errors import ConfigError, StoreBusyError, StoreError
from ollamatrace.store.schema import APPLICATION_ID, MIGRATIONS, migrate, version

_WRITE_WAIT_S: Final = 0.05
_OPEN_WAIT_S: Final = 1.0
"""Longer: another process may just be creating the file."""
_READ_WAIT_S: Final = 5.0
_LOOKS: Final = 4
_LOOK_AGAIN_S: Final = 0.02
_CACHE_KIB: Final = 16 * 1024
_LOG_BYTES: Final = 16 * 1024 * 1024
"""What stays of a log that grew because somebody read for long: four times what is usual."""


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Generator[None]:
    """Turn what SQLite and the file system raise into errors of ours that name the file.

    Raises:
        ConfigError: the file is not an SQLite database.
        ValueError: what was to be written has a form that no record has.
        StoreBusyError: another process is writing it.
        StoreError: anything else that went wrong.
    """
    try:
        yield
    except StoreError:
        raise
    except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
        # What was to be written is at fault, not the file: trying again would not help.
        raise ValueError(f"the store cannot hold such a span: {error}") from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise ConfigError(
                f"{path} is not an SQLite database; choose another path for the store"
            ) from None
        kind = StoreBusyError if _is_busy(error) else StoreError
        raise kind(f"cannot {doing} the store {path}: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot {doing} the store {path}: {error}") from error


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def open_writer(path: Path, wait_s: float = _WRITE_WAIT_S) -> sqlite3.Connection:
    """Open the file for writing; create and migrate it where needed.

    Args:
        path: The file.
        wait_s: How long a transaction waits for that of another process.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    _refuse_foreign(path)
    connection = _connect(path, "mode=rw", _OPEN_WAIT_S)
    try:
        # In this order: the application id then stands in the main file, not in the WAL, which
        # is what `_refuse_foreign` reads.
        migrate(connection, path)
        with contextlib.suppress(sqlite3.OperationalError):  # a file system that has no WAL
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection | None:
    """Open the file for reading, in one transaction; ``None`` where there is nothing yet."""
    if not path.exists():
        return None
    _refuse_foreign(path)
    try:
        connection = _begun(path, "mode=ro")
    except sqlite3.OperationalError as error:
        # Where no file can be made, SQLite has no shared memory for a WAL. If there is no WAL
        # either, then nobody is writing, and the file is all there is.
        unmakeable = error.sqlite_errorcode & 0xFF in {
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
        }
        if not unmakeable or path.with_name(path.name + "-wal").exists():
            raise
        connection = _begun(path, "mode=ro&immutable=1")
    if version(connection, path):
        return connection
    connection.close()
    return None


def _begun(path: Path, query: str) -> sqlite3.Connection:
    connection = _connect(path, query, _READ_WAIT_S)
    try:
        connection.execute("BEGIN")
        version(connection, path)  # the first read, which takes the snapshot
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_foreign(path: Path) -> None:
    # `immutable` takes no lock and makes no file: another program's database stays as it is, down
    # to its WAL. Reading the header with open() instead would, on closing, drop the locks that
    # this process holds on the file.
    # Without locks it may see a file that another process is just creating, so it looks again.
    for attempt in range(_LOOKS):
        connection = _connect(path, "mode=ro&immutable=1", _READ_WAIT_S)
        with contextlib.closing(connection):
            try:
                version(connection, path)
            except (ConfigError, sqlite3.DatabaseError):
                if _is_half_written(connection):
                    return
                if attempt == _LOOKS - 1:
                    raise
            else:
                return
        time.sleep(_LOOK_AGAIN_S)


def _is_half_written(connection: sqlite3.Connection) -> bool:
    """Whether it is a store of ours which its log must be read with.

    That is so while the log is copied into the file, and stays so if the process that does it is
    killed: the first page then counts pages that the file does not have yet.
    """
    with contextlib.suppress(sqlite3.DatabaseError):
        connection.execute("PRAGMA writable_schema = ON")  # else that count is an error
        if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
            return int(connection.execute("PRAGMA user_version").fetchone()[0]) <= len(MIGRATIONS)
    return False


def _connect(path: Path, query: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,  # the writing one is shared under a lock
    )
