"""The store: one SQLite file that one worker writes and anybody reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

from ollamatrace.errors import StoreError
from ollamatrace.records import Record, Trace, TraceUpdate
from ollamatrace.store.batch import insert
from ollamatrace.store.connection import explained, open_reader, open_writer
from ollamatrace.store.fork import before_fork
from ollamatrace.store.retention import THERE, Limits, Swept, sweep, used_bytes
from ollamatrace.store.rows import SELECT, Row, encode, read
from ollamatrace.store.scan import Scan
from ollamatrace.store.text import GRAM, folded, has_text, index_more, narrow

_INDEX_BUDGET_S: Final = 1.0
"""The longest that one search spends on the text index."""
_INDEX_PAUSE_S: Final = 0.002
"""How long writers get a turn between two steps of indexing."""

_abandoned: Final[list[sqlite3.Connection]] = []


def _no_pause() -> None:
    pass


class Store:
    """Finished spans in one file, which is created when the first span is written.

    `write` belongs to one thread; the reading methods may be called from any, and from other
    processes, at the same time.

    Args:
        path: The file. Its folder is created if need be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.used_bytes = 0
        """What the file had in use after the last `write` or `keep_within`."""
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """Which file that is open for."""
        self._new_locks()
        before_fork(self, Store._hold)

    def write(
        self,
        records: Sequence[Record],
        *,
        experiment: str,
        pause: Callable[[], None] = _no_pause,
    ) -> None:
        """Write spans in one transaction; a span that is there already is replaced.

        Args:
            records: The spans. Of two with the same ids the last one wins. An update of a trace
                changes those of its spans that are there by then.
            experiment: The experiment that they belong to.
            pause: Called after each span is encoded, while the file is not locked.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be written; locked by another for more than 50 ms, say.
            ValueError: a record has a field of a type that records do not have.
        """
        rows: list[Row | TraceUpdate] = []
        for record in records:
            row = record if isinstance(record, TraceUpdate) else encode(record, pause)
            rows.append(row)
            pause()
        if rows:
            with self._writing() as connection:
                insert(connection, rows, experiment)
                self.used_bytes = used_bytes(connection)

    def keep_within(self, limits: Limits, seconds: float) -> Swept:
        """Delete what is beyond `limits`, in one transaction, for about as long as `seconds`.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be written.
        """
        with self._writing() as connection:
            swept = sweep(connection, limits, seconds)
            self.used_bytes = used_bytes(connection)
        return swept

    def search(
        self,
        text: str | None = None,
        *,
        status: str | None = None,
        model: str | None = None,
        session: str | None = None,
        experiment: str | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
        limit: int = 100,
    ) -> list[Trace]:
        """Find traces that have a span which meets all of the given conditions.

        Args:
            text: In its name, inputs, outputs, status message or exception, upper and lower case
                being the same. Only values are searched, not keys, and no long base64 data.
            status: Its status, exactly.
            model: Its model, exactly.
            session: Its session, exactly.
            experiment: Its experiment, exactly.
            since_ns: It started then or later, in nanoseconds since the epoch.
            until_ns: It started before then.
            limit: The most traces.

        Returns:
            The traces with all their spans, the one that started last first.

        Raises:
            ValueError: `limit` is not positive.
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be read.
        """
        if limit <= 0:
            raise ValueError(f"limit must be 1 or more, not {limit}")
        where = _where(status, model, session, experiment, since_ns, until_ns)
        needle = self._needle(text)
        found: dict[int, str] = {}
        with self._reading() as connection:
            if connection is None:
                return []
            # From the newest trace on, until there are enough of them.
            for trace, trace_id in _found(connection, needle, where, "DESC"):
                found[trace] = trace_id
                if len(found) == limit:
                    break
            return [_trace(connection, trace_id) for trace_id in found.values()]

    def scan(
        self,
        text: str | None = None,
        *,
        status: str | None = None,
        model: str | None = None,
        session: str | None = None,
        experiment: str | None = None,
        since_ns: int | None = None,
        whole: bool = True,
    ) -> Scan:
        """Find traces as `search` does, all of them, and read them one after the other.

        Others may write meanwhile, and memory does not grow with what is read.

        Args:
            text: See `search`.
            status: See `search`.
            model: See `search`.
            session: See `search`.
            experiment: See `search`.
            since_ns: See `search`.
            whole: Give traces with all their spans, and not only with those of `experiment`.

        Returns:
            How many they are (``len``), and the traces, the one that started first first.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be read; while they are read, too.
        """
        where = _where(status, model, session, experiment, since_ns, None)
        needle = self._needle(text)
        with self._reading() as connection:
            ids = bytearray()
            for _, trace_id in _found(connection, needle, where, "ASC") if connection else ():
                ids += bytes.fromhex(trace_id)
        return Scan(self._reading, ids, None if whole else experiment)

    def experiments(self) -> dict[str, int]:
        """The experiments that spans belong to, and how many do.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be read.
        """
        query = "SELECT experiment, count(*) FROM span GROUP BY experiment ORDER BY experiment"
        with self._reading() as connection:
            return dict(connection.execute(query).fetchall()) if connection else {}

    def get(self, trace_id: str) -> Trace | None:
        """The trace of an id of 32 hex digits; ``None`` if it is not here.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be read.
        """
        with self._reading() as connection:
            trace = None if connection is None else _trace(connection, trace_id)
        return trace if trace is not None and trace.spans else None

    def trace_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids that start with `prefix`, newest first, at most `limit`.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be read.
        """
        # Of all traces, by the index of the start: no sorting.
        term = "trace_id >= ? AND trace_id < ?" if prefix else THERE
        query = f"SELECT trace_id FROM trace WHERE {term} ORDER BY start_ns DESC, id DESC LIMIT ?"  # noqa: S608  constants
        between = (prefix, prefix + "g") if prefix else ()  # it comes after every hex digit
        with self._reading() as connection:
            rows = connection.execute(query, (*between, limit)) if connection else ()
            return [row[0] for row in rows]

    def session_ids(self, session: str | None) -> list[str]:
        """The ids of all traces that have a span of a session; with ``None``, of all traces.

        Raises:
            ConfigError: the path is that of another program's file, or of a newer version's.
            StoreError: the file cannot be read.
        """
        query = (
            f"SELECT trace_id FROM trace WHERE {THERE} AND (? IS NULL OR EXISTS"  # noqa: S608  a constant
            " (SELECT 1 FROM span WHERE trace = trace.id AND session = ?))"
        )
        with self._reading() as connection:
            rows = connection.execute(query, (session, session)) if connection else ()
            return [row[0] for row in rows]

    def close(self) -> None:
        """Close the file; what is called later opens it again."""
        with self._writer:
            self._close()

    def abandon(self) -> None:
        """Forget, in the child of a fork, what was open in the parent, without closing it."""
        if self._connection is not None:
            _abandoned.append(self._connection)  # closing it would drop the parent's locks
            self._connection = None
        self._new_locks()

    def _new_locks(self) -> None:
        self._writer = threading.Lock()
        self._readers = 0
        self._reading_ended = threading.Condition(threading.Lock())

    def _hold(self) -> Callable[[], None]:
        """Wait until nobody uses the file, close it, and let nobody in before the release."""
        locks = contextlib.ExitStack()
        locks.enter_context(self._reading_ended)
        self._reading_ended.wait_for(lambda: not self._readers)
        locks.enter_context(self._writer)
        self._close()
        return locks.close

    @contextlib.contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """The writing connection in one transaction, to one thread at a time."""
        with self._writer, explained(self.path, "write"):
            try:
                if self._connection is not None and self._file != self._found():
                    self._close()  # deleted or replaced: what is written to it nobody finds
                if self._connection is None:
                    self._connection = open_writer(self.path)
                    self._file = self._found()
                self._connection.execute("BEGIN IMMEDIATE")
                with self._connection:
                    yield self._connection
            except BaseException:
                self._close()  # the next attempt begins afresh
                raise
            if self._file != self._found():
                raise StoreError(f"the store {self.path} was deleted while it was written")

    @contextlib.contextmanager
    def _reading(self) -> Generator[sqlite3.Connection | None]:
        """A connection of the caller's own in one transaction; ``None`` if there is no file."""
        with self._reading_ended:
            self._readers += 1
        try:
            with explained(self.path, "read"):
                connection = open_reader(self.path)
                with contextlib.closing(connection) if connection else contextlib.nullcontext():
                    yield connection
        finally:
            with self._reading_ended:
                self._readers -= 1
                self._reading_ended.notify_all()

    def _found(self) -> tuple[int, int] | None:
        """Which file is at the path now; ``None`` if there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _needle(self, text: str | None) -> str:
        """A text as it is searched for, with the index ready for it."""
        needle = folded(text or "")
        if len(needle) >= GRAM:
            self._index()
        return needle

    def _index(self) -> None:
        """Bring the text index up to date, as far as the file can be written and time allows."""
        deadline = time.monotonic() + _INDEX_BUDGET_S
        with contextlib.suppress(StoreError):
            more = self.path.exists()
            while more and time.monotonic() < deadline:
                with self._writing() as connection:
                    more = index_more(connection)
                time.sleep(_INDEX_PAUSE_S)


def _where(
    status: str | None,
    model: str | None,
    session: str | None,
    experiment: str | None,
    since_ns: int | None,
    until_ns: int | None,
) -> dict[str, str | int]:
    """The terms of a query, with what they compare with."""
    terms = {
        "s.status = ?": status,
        "s.model = ?": model,
        "s.session = ?": session,
        "s.experiment = ?": experiment,
        "s.start_ns >= ?": since_ns,
        "s.start_ns < ?": until_ns,
        "t.start_ns < ?": until_ns,  # follows, and is cheaper to see
    }
    return {term: value for term, value in terms.items() if value is not None}


def _found(
    connection: sqlite3.Connection, needle: str, where: dict[str, str | int], order: str
) -> Iterator[tuple[int, str]]:
    """The row ids and ids of traces with a span that meets all terms, by their start."""
    terms = dict(where)
    if needle:
        terms["(s.id > ? OR s.id IN temp.hit)"] = narrow(connection, needle)
    query = (
        "SELECT t.id, t.trace_id, s.id FROM trace t CROSS JOIN span s ON s.trace = t.id"  # noqa: S608  terms are constants
        f" WHERE {' AND '.join([THERE, *terms])} ORDER BY t.start_ns {order}, t.id {order}"
    )
    last = None
    for trace, trace_id, span in connection.execute(query, list(terms.values())):
        # The spans of a trace come one after the other.
        if trace != last and (not needle or has_text(connection, span, needle)):
            last = trace
            yield trace, trace_id


def _trace(connection: sqlite3.Connection, trace_id: str) -> Trace:
    # Of spans that start together, the parent ends last and is written last.
    query = (
        f"{SELECT} WHERE trace.trace_id = ? ORDER BY span.start_ns, span.end_ns DESC, span.id DESC"
    )
    rows = connection.execute(query, (trace_id,)).fetchall()
    return Trace(trace_id, tuple(read(connection, row) for row in rows))
