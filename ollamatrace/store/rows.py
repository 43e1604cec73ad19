"""A record as the rows that hold it, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, cast

import orjson

from ollamatrace.records import Content, SpanRecord, TraceUpdate
from ollamatrace.store import chunks, update
from ollamatrace.store.content import USE, Link, Packer, put, put_list, unpack
from ollamatrace.store.garbage import Garbage, find

_COLUMNS: Final = (
    "span_id",
    "parent_id",
    "name",
    "kind",
    "start_ns",
    "end_ns",
    "status",
    "model",
    "session",
)
_REST: Final[dict[str, Any]] = {
    "end_reason": None,
    "status_message": "",
    "attributes": {},
    "events": [],
    "links": [],
    "provider": None,
    "warnings": [],
    "user": None,
    "tags": {},
    "metadata": {},
}
"""The fields kept as one JSON object, unless they have these values."""

_INSERT: Final = (
    f"INTO span (trace, experiment, {', '.join(_COLUMNS)}, rest, inputs, outputs)"
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 5))})"
)
_NEW: Final = f"INSERT {_INSERT} ON CONFLICT DO NOTHING"
_AGAIN: Final = f"INSERT OR REPLACE {_INSERT}"
_NEW_TRACE: Final = """
    INSERT INTO trace (trace_id, start_ns, end_ns) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""
_LONGER: Final = """
    UPDATE trace SET start_ns = min(start_ns, ?1), end_ns = max(end_ns, ?2)
    WHERE id = ?3 AND (start_ns > ?1 OR end_ns < ?2)
"""
_TIMES: Final = """
    UPDATE trace SET (start_ns, end_ns) =
        (SELECT min(start_ns), max(end_ns) FROM span WHERE trace = trace.id)
    WHERE id = ?
"""
SELECT: Final = (
    f"SELECT trace.trace_id, {', '.join('span.' + name for name in _COLUMNS)},"  # noqa: S608  constants
    " span.rest, span.inputs, span.outputs FROM span JOIN trace ON trace.id = span.trace"
)
"""What `read` takes."""


_columns: Final = attrgetter(*_COLUMNS)


class Row(NamedTuple):
    """A record, encoded: all that can be done before the file is locked."""

    trace_id: str
    span_id: str
    start_ns: int
    end_ns: int
    values: tuple[Any, ...]
    texts: dict[bytes, bytes]
    uses: list[bytes]
    lists: list[list[Link]]


def encode(record: SpanRecord, pause: Callable[[], None]) -> Row:
    """Encode a record, without touching the database; `pause` is called now and then."""
    rest: dict[str, Any] = {}
    for name, default in _REST.items():
        value = getattr(record, name)
        if value != default:
            rest[name] = value
    if record.usage is not None:
        rest["usage"] = dict(record.usage)
    if record.timing:
        rest["timing"] = dict(record.timing)
    chunks.fold(rest, pause)
    packer = Packer(pause)
    values = (
        *_columns(record),
        packer.pack(orjson.dumps(rest)),
        packer.pack_content(record.input_content, lists=True),
        packer.pack_content(record.output_content),
    )
    return Row(
        record.trace_id,
        record.span_id,
        record.start_ns,
        record.end_ns,
        values,
        packer.texts,
        packer.uses,
        packer.lists,
    )


def insert(
    connection: sqlite3.Connection, rows: Sequence[Row | TraceUpdate], experiment: str
) -> None:
    """Write rows, replacing spans that are there already; updates change what is there by then."""
    traces: dict[str, int] = {}
    replaced: set[int] = set()
    for row in rows:
        if isinstance(row, TraceUpdate):
            update.apply(connection, row)
            continue
        trace = _trace(connection, row, traces.get(row.trace_id))
        traces[row.trace_id] = trace
        if _write(connection, row, trace, experiment):
            replaced.add(trace)
    connection.executemany(_TIMES, [(trace,) for trace in replaced])


def _write(connection: sqlite3.Connection, row: Row, trace: int, experiment: str) -> bool:
    """Write one span; whether it has replaced one."""
    values = (trace, experiment, *row.values)
    done = connection.execute(_NEW, values)
    old = None
    if not done.rowcount:
        old = find(connection, trace, row.span_id)
        done = connection.execute(_AGAIN, values)
    span = cast("int", done.lastrowid)
    for digest in row.uses:
        connection.execute(USE, (put(connection, digest, row.texts[digest]), span))
    for links in row.lists:
        part = (put_list(connection, links, row.texts), span)
        connection.execute("INSERT OR IGNORE INTO part VALUES (?, ?)", part)
    if old is None:
        return False
    garbage = Garbage(connection)
    garbage.release(old)  # last: the new one may use the same
    garbage.collect()
    return True


def _trace(connection: sqlite3.Connection, row: Row, known: int | None) -> int:
    """The trace of a span, made or made longer where needed; `known` if it was asked for before."""
    if known is None:
        done = connection.execute(_NEW_TRACE, (row.trace_id, row.start_ns, row.end_ns))
        if done.rowcount:
            return cast("int", done.lastrowid)
        select = "SELECT id FROM trace WHERE trace_id = ?"
        known = cast("int", connection.execute(select, (row.trace_id,)).fetchone()[0])
    connection.execute(_LONGER, (row.start_ns, row.end_ns, known))
    return known


def read(connection: sqlite3.Connection, row: Sequence[Any]) -> SpanRecord:
    """Build the record of a row of `SELECT`.

    Raises:
        StoreError: a content is missing.
    """
    trace_id, *columns, rest, inputs, outputs = row
    fields = orjson.loads(unpack(connection, rest))
    events = chunks.unfold(fields)
    fields.update(zip(_COLUMNS, columns, strict=True), trace_id=trace_id)
    record = SpanRecord.from_fields(fields)
    record.event_content = events
    record.input_content = Content(json=unpack(connection, inputs))
    record.output_content = Content(json=unpack(connection, outputs))
    return record
