"""A record as the rows that hold it, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson

from ollamatrace.records import Content, SpanRecord
from ollamatrace.store import chunks
from ollamatrace.store.content import Link, Packer, unpack

COLUMNS: Final = (
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

SELECT: Final = (
    f"SELECT trace.trace_id, {', '.join('span.' + name for name in COLUMNS)},"  # noqa: S608  constants
    " span.rest, span.inputs, span.outputs FROM span JOIN trace ON trace.id = span.trace"
)
"""What `read` takes."""


_columns: Final = attrgetter(*COLUMNS)
_rest: Final = attrgetter(*_REST)


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
    rest: dict[str, Any] = {
        name: value
        for (name, default), value in zip(_REST.items(), _rest(record), strict=True)
        if value != default
    }
    if record.usage is not None:
        rest["usage"] = record.usage.known()
    if timing := record.timing.known():
        rest["timing"] = timing
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


def read(connection: sqlite3.Connection, row: Sequence[Any]) -> SpanRecord:
    """Build the record of a row of `SELECT`.

    Raises:
        StoreError: a content is missing.
    """
    trace_id, *columns, rest, inputs, outputs = row
    fields = orjson.loads(unpack(connection, rest))
    events = chunks.unfold(fields)
    fields.update(zip(COLUMNS, columns, strict=True), trace_id=trace_id)
    record = SpanRecord.from_fields(fields)
    record.event_content = events
    record.input_content = Content(json=unpack(connection, inputs))
    record.output_content = Content(json=unpack(connection, outputs))
    return record
