"""A record as the rows that hold it, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, cast

import orjson

from ollamatrace.records import Content, SpanRecord, TraceUpdate
from ollamatrace.store import chunks, update
from ollamatrace.store.content import Link, Packer, put, put_list, unpack

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
    f"INSERT OR REPLACE INTO span (trace, experiment, {', '.join(_COLUMNS)}, rest, inputs, outputs)"  # noqa: S608  constants
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 5))})"
)
_START: Final = """
    UPDATE trace SET start_ns = (SELECT min(start_ns) FROM span WHERE trace = ?1)
    WHERE id = ?1 AND start_ns <> (SELECT min(start_ns) FROM span WHERE trace = ?1)
"""
SELECT: Final = (
    f"SELECT trace.trace_id, {', '.join('span.' + name for name in _COLUMNS)},"  # noqa: S608  constants
    " span.rest, span.inputs, span.outputs FROM span JOIN trace ON trace.id = span.trace"
)
"""What `read` takes."""


_columns: Final = attrgetter(*_COLUMNS)


@dataclass(frozen=True, slots=True)
class Row:
    """A record, encoded: all that can be done before the file is locked."""

    trace_id: str
    start_ns: int
    values: tuple[Any, ...]
    texts: dict[bytes, bytes]
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
    return Row(record.trace_id, record.start_ns, values, packer.texts, packer.lists)


def insert(
    connection: sqlite3.Connection, rows: Sequence[Row | TraceUpdate], experiment: str
) -> None:
    """Write rows, replacing spans that are there already; updates change what is there by then."""
    traces: dict[str, int] = {}
    for row in rows:
        if isinstance(row, TraceUpdate):
            update.apply(connection, row)
            continue
        trace = traces.get(row.trace_id)
        if trace is None:
            trace = traces[row.trace_id] = _trace(connection, row)
        for digest, body in row.texts.items():
            put(connection, digest, body)
        span = connection.execute(_INSERT, (trace, experiment, *row.values)).lastrowid
        for links in row.lists:
            part = (put_list(connection, links), span)
            connection.execute("INSERT OR IGNORE INTO part VALUES (?, ?)", part)
    connection.executemany(_START, [(trace,) for trace in traces.values()])


def _trace(connection: sqlite3.Connection, row: Row) -> int:
    new = "INSERT INTO trace (trace_id, start_ns) VALUES (?, ?) ON CONFLICT DO NOTHING"
    done = connection.execute(new, (row.trace_id, row.start_ns))
    if done.rowcount:
        return cast("int", done.lastrowid)
    select = "SELECT id FROM trace WHERE trace_id = ?"
    return cast("int", connection.execute(select, (row.trace_id,)).fetchone()[0])


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
