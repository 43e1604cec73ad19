"""Finding text: an index of trigrams that narrows a search, and the look at a span that decides.

Nothing is indexed when spans are written. A search for text first adds what came since, then asks
the index which spans may have the text; those, and those that the index does not know yet, are
read and looked at. An index that is behind, or that this SQLite cannot have, makes a search
slower, not wrong. Documents of the index are spans (by their row id) without their lists, and
the links of lists (by minus their row id), so that a conversation is indexed once.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast

import orjson

from ollamatrace.store.content import unpack

GRAM: Final = 3
"""Characters of a text below which the index cannot tell."""
_BATCH: Final = 100
"""Documents indexed in one transaction: the file is locked for that long."""
_MAX_GRAMS: Final = 32
_ENCODED: Final = re.compile(r"(?:data:[^,]{0,200},)?[A-Za-z0-9+/=_-]{4096}")
"""How an image or a sound begins: not text."""

# Without positions (`detail`) it is a fifth of the size; the look at the span makes up for that.
# Case is folded here, as SQLite would do it differently from the look.
_CREATE: Final = """
    CREATE VIRTUAL TABLE IF NOT EXISTS text_index USING fts5(
        body, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
    )
"""
_NEW_LINKS: Final = """
    SELECT link.id, content.body FROM link JOIN content ON content.id = link.content
    WHERE link.id > ? ORDER BY link.id LIMIT ?
"""
_NEW_SPANS: Final = """
    SELECT id, name, rest, inputs, outputs FROM span WHERE id > ? ORDER BY id LIMIT ?
"""
_SPAN: Final = "SELECT id, name, rest, inputs, outputs FROM span WHERE id = ?"
_HITS: Final = """
    WITH RECURSIVE linked (id) AS (
        SELECT -id FROM temp.hit WHERE id < 0
        UNION
        SELECT link.id FROM linked JOIN link ON link.previous = linked.id
    )
    INSERT OR IGNORE INTO temp.hit SELECT part.span FROM linked JOIN part ON part.link = linked.id
"""

_GHOSTS: Final = """
    SELECT count(*) FROM text_index WHERE text_index MATCH ?
    AND rowid NOT IN (SELECT id FROM span) AND -rowid NOT IN (SELECT id FROM link)
"""


def folded(text: str) -> str:
    """The form in which texts are compared."""
    # SQLite takes no lone surrogates, and its tokenizer stops at a zero.
    return text.casefold().replace("\0", " ").encode("utf-8", "replace").decode()


def index_more(connection: sqlite3.Connection) -> bool:
    """Index the next documents, in the transaction of the caller; whether there may be more."""
    connection.execute(_CREATE)
    span, link = connection.execute("SELECT span, link FROM indexed").fetchone()
    # Links first: all of those of an indexed span must be indexed.
    rows = connection.execute(_NEW_LINKS, (link, _BATCH)).fetchall()
    if rows:
        link = rows[-1][0]
        documents = [(-row[0], _element(connection, row[1])) for row in rows]
    else:
        rows = connection.execute(_NEW_SPANS, (span, _BATCH)).fetchall()
        span = rows[-1][0] if rows else span
        documents = [(row[0], _document(connection, row, lists=False)) for row in rows]
    connection.executemany("INSERT INTO text_index (rowid, body) VALUES (?, ?)", documents)
    connection.execute("UPDATE indexed SET span = ?, link = ?", (span, link))
    return bool(rows)


def narrow(connection: sqlite3.Connection, text: str) -> int:
    """Put the spans that may have a folded text into ``temp.hit``, as far as they are indexed.

    Returns:
        The last span that is indexed; all after it may have the text, too.
    """
    connection.execute("CREATE TEMP TABLE hit (id INTEGER PRIMARY KEY)")
    (indexed,) = connection.execute("SELECT span FROM indexed").fetchone()
    match = _expression(text)
    if not match or not indexed:
        return 0
    insert = "INSERT INTO temp.hit SELECT rowid FROM text_index WHERE text_index MATCH ?"
    try:
        connection.execute(insert, (match,))
    except sqlite3.OperationalError:  # made by an SQLite that has FTS5, read by one without
        return 0
    connection.execute(_HITS)
    return cast("int", indexed)


def ghosts(connection: sqlite3.Connection, text: str) -> int:
    """How many documents have all of a folded text, though no row of the store is theirs."""
    exists = "SELECT 1 FROM sqlite_master WHERE name = 'text_index'"
    match = _expression(text)
    if not match or connection.execute(exists).fetchone() is None:
        return 0
    try:
        return cast("int", connection.execute(_GHOSTS, (match,)).fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return 0  # as in `narrow`


def _expression(text: str) -> str:
    """The query for all documents that may have a text."""
    grams = sorted({text[at : at + GRAM] for at in range(len(text) - GRAM + 1)})[:_MAX_GRAMS]
    return " ".join('"' + gram.replace('"', '""') + '"' for gram in grams)


class TextIndex:
    """The index, for somebody who deletes what it knows, in one transaction.

    It has no bodies of its own: it must be told what it was given, as long as that can be read.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        span, link = connection.execute("SELECT span, link FROM indexed").fetchone()
        self._span, self._link = cast("int", span), cast("int", link)

    def forget_span(self, row: Sequence[Any]) -> None:
        """Take a span out, of which this is the row of `_SPAN`."""
        if row[0] <= self._span:
            self._forget(row[0], _document(self._connection, row, lists=False))

    def forget_link(self, link: int, body: bytes) -> None:
        """Take a link out that has this content."""
        if link <= self._link:
            self._forget(-link, _element(self._connection, body))

    def _forget(self, document: int, body: str) -> None:
        delete = "INSERT INTO text_index (text_index, rowid, body) VALUES ('delete', ?, ?)"
        try:
            self._connection.execute(delete, (document, body))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            self._span = self._link = 0  # this SQLite cannot: what it says points nowhere


def has_text(connection: sqlite3.Connection, span: int, text: str) -> bool:
    """Whether a span has a folded text."""
    row = connection.execute(_SPAN, (span,)).fetchone()
    return text in _document(connection, row, lists=True)


def _element(connection: sqlite3.Connection, body: bytes) -> str:
    return _joined([orjson.loads(unpack(connection, body))])


def _document(connection: sqlite3.Connection, row: Sequence[Any], *, lists: bool) -> str:
    _, name, *bodies = row
    rest, inputs, outputs = (orjson.loads(unpack(connection, body, lists=lists)) for body in bodies)
    events = rest.get("events", ())
    raised = [event["attributes"] for event in events if event["name"] == "exception"]
    return _joined([name, rest.get("status_message"), raised, inputs, outputs])


def _joined(value: Any) -> str:
    texts: list[str] = []
    _gather(value, texts)
    # The separator, which nobody types, keeps a text from matching across two leaves.
    return folded("\x1f".join(texts))


def _gather(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        if not _ENCODED.match(value):
            texts.append(value)
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            _gather(item, texts)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _gather(item, texts)
