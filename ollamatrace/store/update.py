"""An update of a trace, applied to the rows that hold its spans."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, cast

import orjson

from ollamatrace.records import TraceUpdate
from ollamatrace.store.content import USE, Packer, put, unpack
from ollamatrace.store.garbage import Garbage, by_id

_SPANS: Final = """
    SELECT span.id, span.session, span.rest FROM span JOIN trace ON trace.id = span.trace
    WHERE trace.trace_id = ?
"""
_CHANGE: Final = "UPDATE span SET session = ?, rest = ? WHERE id = ?"
_ROOTS: Final = """
    SELECT span.* FROM span JOIN trace ON trace.id = span.trace
    WHERE trace.trace_id = ? AND span.parent_id IS NULL AND span.name <> ?
"""


def apply(connection: sqlite3.Connection, update: TraceUpdate) -> None:
    """Change the spans of the trace that are there, in the transaction of the caller."""
    for span, session, rest in connection.execute(_SPANS, (update.trace_id,)).fetchall():
        fields: dict[str, Any] = orjson.loads(unpack(connection, rest))
        before = dict(fields)
        if update.user is not None:
            fields["user"] = update.user
        for name, values in (("tags", update.tags), ("metadata", update.metadata)):
            if values:
                fields[name] = {**fields.get(name, {}), **values}
        wanted = session if update.session is None else update.session
        if (fields, wanted) != (before, session):
            connection.execute(_CHANGE, (wanted, _packed(connection, fields, span), span))
            Garbage(connection).leave(by_id(connection, span), rest)
    if update.name is not None:
        _rename(connection, update.trace_id, update.name)


def _packed(connection: sqlite3.Connection, fields: dict[str, Any], span: int) -> bytes:
    packer = Packer(lambda: None)
    body = packer.pack(orjson.dumps(fields))
    for digest in packer.uses:
        connection.execute(USE, (put(connection, digest, packer.texts[digest]), span))
    return body


def _rename(connection: sqlite3.Connection, trace_id: str, name: str) -> None:
    # As a new row: the text index knows the old one by its old name, and is never changed.
    cursor = connection.execute(_ROOTS, (trace_id, name))
    columns = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        fields: dict[str, Any] = {**dict(zip(columns, row, strict=True)), "name": name}
        old = by_id(connection, fields.pop("id"))
        marks = ", ".join("?" * len(fields))
        insert = f"INSERT OR REPLACE INTO span ({', '.join(fields)}) VALUES ({marks})"  # noqa: S608
        new = cast("int", connection.execute(insert, list(fields.values())).lastrowid)
        Garbage(connection).hand_over(old, new)
