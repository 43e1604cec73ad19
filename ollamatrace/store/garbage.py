"""What is no longer used after a span went: links, texts, and what the text index says of them.

Spans hold lists by their last link (`part`) and texts (`use`); a link holds the one before it, its
element, and the texts in that (`use`, by minus its row id). What nobody holds goes. All of it runs
in the transaction of the caller, so nothing can begin to be used in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast

from ollamatrace.store.content import references
from ollamatrace.store.text import TextIndex

_COLUMNS: Final = "SELECT id, name, rest, inputs, outputs FROM span"
_LINK: Final = """
    SELECT link.previous, link.content, content.body
    FROM link JOIN content ON content.id = link.content WHERE link.id = ?
"""
_HELD: Final = """
    SELECT EXISTS (SELECT 1 FROM part WHERE link = ?)
        OR EXISTS (SELECT 1 FROM link WHERE previous = ?)
"""
_UNUSED: Final = """
    DELETE FROM content WHERE id = ?
        AND NOT EXISTS (SELECT 1 FROM use WHERE content = ?)
        AND NOT EXISTS (SELECT 1 FROM link WHERE content = ?)
"""

SpanRow = Sequence[Any]
"""Row id, name, rest, inputs and outputs of a span, as they are stored."""


def find(connection: sqlite3.Connection, trace: int, span_id: str) -> SpanRow:
    """A span by its id."""
    query = f"{_COLUMNS} WHERE trace = ? AND span_id = ?"
    return cast("SpanRow", connection.execute(query, (trace, span_id)).fetchone())


def by_id(connection: sqlite3.Connection, span: int) -> SpanRow:
    """A span by its row id."""
    return cast("SpanRow", connection.execute(f"{_COLUMNS} WHERE id = ?", (span,)).fetchone())


def some(connection: sqlite3.Connection, trace: int, limit: int) -> list[SpanRow]:
    """Some spans of a trace."""
    return connection.execute(f"{_COLUMNS} WHERE trace = ? LIMIT ?", (trace, limit)).fetchall()


class Garbage:
    """Collects what spans leave behind, in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._index = TextIndex(connection)
        self.links: list[int] = []
        """Links to be looked at: perhaps nobody holds them any more."""

    def release(self, row: SpanRow) -> None:
        """Let go of what a span holds whose row is gone, or is about to go."""
        span = row[0]
        self._index.forget_span(row)
        for kind, digest in {mark for body in row[2:] for mark in references(body)}:
            if kind == "list":
                link = self._id("link", digest)
                if link is not None:
                    part = "DELETE FROM part WHERE link = ? AND span = ?"
                    self._connection.execute(part, (link, span))
                    self.links.append(link)
            else:
                self._leave(digest, span)

    def leave(self, row: SpanRow, before: bytes) -> None:
        """Let go of the texts that `before` refers to and the span, as it is now, does not."""
        kept = {digest for body in row[2:] for _, digest in references(body)}
        for digest in {digest for _, digest in references(before)} - kept:
            self._leave(digest, row[0])

    def hand_over(self, row: SpanRow, new: int) -> None:
        """Have a span's new row hold all that its old one held."""
        self._index.forget_span(row)
        change = "UPDATE use SET owner = ? WHERE owner = ? AND content = ?"
        for kind, digest in {mark for body in row[2:] for mark in references(body)}:
            if kind == "list":
                change_part = "UPDATE part SET span = ? WHERE span = ? AND link = ?"
                self._connection.execute(change_part, (new, row[0], self._id("link", digest)))
            else:
                self._connection.execute(change, (new, row[0], self._id("content", digest)))

    def collect(self) -> None:
        """Look at all of `links`."""
        while self.links:
            self.look()

    def look(self) -> None:
        """Look at one of `links`: if nobody holds it, it goes, and the one before is next."""
        link = self.links.pop()
        row = self._connection.execute(_LINK, (link,)).fetchone()
        if row is None or self._connection.execute(_HELD, (link, link)).fetchone()[0]:
            return
        previous, content, body = row
        self._index.forget_link(link, body)
        self._connection.execute("DELETE FROM link WHERE id = ?", (link,))
        for _, digest in set(references(body)):
            self._leave(digest, -link)
        self._connection.execute(_UNUSED, (content,) * 3)
        if previous is not None:
            self.links.append(previous)

    def _leave(self, digest: bytes, owner: int) -> None:
        content = self._id("content", digest)
        use = "DELETE FROM use WHERE content = ? AND owner = ?"
        self._connection.execute(use, (content, owner))
        self._connection.execute(_UNUSED, (content,) * 3)

    def _id(self, table: str, digest: bytes) -> int | None:
        query = f"SELECT id FROM {table} WHERE hash = ?"  # noqa: S608  a constant
        row = self._connection.execute(query, (digest,)).fetchone()
        return None if row is None else row[0]
