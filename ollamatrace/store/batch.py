"""A batch of rows, written with a few statements whatever their number.

Each step of SQLite lets go of the GIL, and a thread of the program that computes gives it back only
after 5 ms. So what is there already is asked for at once, ids are given out here, and many rows
are inserted by one statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any, Final

from ollamatrace.records import TraceUpdate
from ollamatrace.store import update
from ollamatrace.store.content import Link, digest_of
from ollamatrace.store.garbage import Garbage, by_id
from ollamatrace.store.rows import COLUMNS, Row

_MOST: Final = 64
"""Rows in one statement: then it has fewer parameters than any SQLite takes, and to prepare them
takes no 100 µs."""

_LAST: Final = """
    SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'span'),
        (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'link'),
        (SELECT coalesce(max(id), 0) FROM trace)
"""
# What is found comes as one row: each row would be a step.
_FIND: Final = """
    WITH asked (number, trace_id, span_id) AS ({})
    SELECT group_concat(number || ' ' || trace.id || ' ' || coalesce(span.id, 0))
    FROM asked CROSS JOIN trace ON trace.trace_id = asked.trace_id
    LEFT JOIN span ON span.trace = trace.id AND span.span_id = asked.span_id
"""
# From the end: most of a conversation is there already, up to some link.
_KNOWN: Final = """
    WITH RECURSIVE back (number, first, at, link) AS (
        SELECT number, first, last, (SELECT id FROM link WHERE hash = substr(?, last, 16))
        FROM asked
        UNION ALL
        SELECT number, first, at - 16, (SELECT id FROM link WHERE hash = substr(?, at - 16, 16))
        FROM back WHERE link IS NULL AND at > first
    ),
    asked (number, first, last) AS ({})
    SELECT group_concat(number || ' ' || ((at - first) / 16)) FROM back WHERE link IS NOT NULL
"""
_TRACE: Final = """
    INSERT INTO trace (id, trace_id, start_ns, end_ns) {} ON CONFLICT (trace_id) DO NOTHING
"""
_LONGER: Final = """
    INSERT INTO trace (trace_id, start_ns, end_ns) {} ON CONFLICT (trace_id) DO UPDATE SET
        start_ns = min(start_ns, excluded.start_ns), end_ns = max(end_ns, excluded.end_ns)
    WHERE start_ns > excluded.start_ns OR end_ns < excluded.end_ns
"""
_SPAN: Final = (
    f"INSERT INTO span (id, trace, experiment, {', '.join(COLUMNS)}, rest, inputs, outputs) {{}}"
)
_CONTENT: Final = "INSERT OR IGNORE INTO content (hash, body) {}"
_BY_HASH: Final = "(SELECT id FROM {} WHERE hash = ?)"
_OF_LINK, _OF_CONTENT = _BY_HASH.format("link"), _BY_HASH.format("content")
_LINK: Final = "INSERT INTO link (id, hash, previous, content) {}"
_LINK_ROW: Final = f"?, ?, coalesce(?, {_OF_LINK}), {_OF_CONTENT}"
_PART: Final = "INSERT OR IGNORE INTO part (link, span) {}"
_USE: Final = "INSERT OR IGNORE INTO use (content, owner) {}"
_TIMES: Final = """
    UPDATE trace SET (start_ns, end_ns) =
        (SELECT min(start_ns), max(end_ns) FROM span WHERE trace = trace.id)
    WHERE id = ?
"""

Values = tuple[Any, ...]


def insert(
    connection: sqlite3.Connection, rows: Sequence[Row | TraceUpdate], experiment: str
) -> None:
    """Write rows, replacing spans that are there already; updates change what is there by then."""
    group: dict[tuple[str, str], Row] = {}
    for row in rows:
        if isinstance(row, TraceUpdate):
            _write(connection, group, experiment)
            update.apply(connection, row)
        else:
            key = (row.trace_id, row.span_id)
            group.pop(key, None)  # of the same span twice the last is written, in its place
            group[key] = row
            if len(group) == _MOST:
                _write(connection, group, experiment)
    _write(connection, group, experiment)


def _write(
    connection: sqlite3.Connection, group: dict[tuple[str, str], Row], experiment: str
) -> None:
    """Write a group, which is empty afterwards."""
    rows = list(group.values())
    group.clear()
    if not rows:
        return
    last_span, last_link, last_trace = connection.execute(_LAST).fetchone()
    times: dict[str, tuple[int, int]] = {}
    for row in rows:
        start_ns, end_ns = times.get(row.trace_id, (row.start_ns, row.end_ns))
        times[row.trace_id] = (min(start_ns, row.start_ns), max(end_ns, row.end_ns))
    periods = [(trace_id, *period) for trace_id, period in times.items()]
    made = [(row_id, *period) for row_id, period in enumerate(periods, last_trace + 1)]
    traces: dict[str, int] = {row[1]: row[0] for row in made}
    replaced: dict[int, int] = {}
    if _many(connection, _TRACE, "?, ?, ?, ?", made) < len(made):  # some are there already
        traces, replaced = _there(connection, rows)
        known = [row[1:] for row in made if traces[row[1]] != row[0]]
        _many(connection, _LONGER, "?, ?, ?", known)
    old = [by_id(connection, span) for span in replaced.values()]
    connection.executemany("DELETE FROM span WHERE id = ?", [(row[0],) for row in old])
    spans = list(enumerate(rows, last_span + 1))
    content: dict[bytes, bytes] = {}
    uses: list[Values] = []
    for span, row in spans:
        uses += [(digest, span) for digest in row.uses]
        content |= {digest: row.texts[digest] for digest in row.uses}
    links = _new_links(connection, rows, last_link, content, uses)
    _many(connection, _CONTENT, "?, ?", content.items())
    placed = [(span, traces[row.trace_id], experiment, *row.values) for span, row in spans]
    _many(connection, _SPAN, ", ".join("?" * len(placed[0])), placed)
    _many(connection, _LINK, _LINK_ROW, links)
    parts = [(held[-1][0], span) for span, row in spans for held in row.lists]
    _many(connection, _PART, f"{_OF_LINK}, ?", parts)
    _many(connection, _USE, f"{_OF_CONTENT}, ?", uses)
    if old:
        connection.executemany(_TIMES, [(traces[rows[at].trace_id],) for at in replaced])
        garbage = Garbage(connection)
        for gone in old:
            garbage.release(gone)  # last: the new one may use the same
        garbage.collect()


def _there(
    connection: sqlite3.Connection, rows: Sequence[Row]
) -> tuple[dict[str, int], dict[int, int]]:
    """The row ids of the traces that are there, and of the spans, by their index in `rows`."""
    asked = [(at, row.trace_id, row.span_id) for at, row in enumerate(rows)]
    traces: dict[str, int] = {}
    spans: dict[int, int] = {}
    for at, trace, span in _found(connection, _FIND, "?, ?, ?", asked):
        traces[rows[at].trace_id] = trace
        if span:
            spans[at] = span
    return traces, spans


def _new_links(
    connection: sqlite3.Connection,
    rows: Sequence[Row],
    last: int,
    content: dict[bytes, bytes],
    uses: list[Values],
) -> list[Values]:
    """The rows of links that are not there yet; what they hold is added to `content` and `uses`."""
    here: dict[bytes, int | None] = {}
    """The links of this batch by hash: their row ids, where they are new."""
    runs: list[tuple[bytes | None, list[Link], dict[bytes, bytes]]] = []
    for row in rows:
        for links in row.lists:
            at = len(links)
            while at and links[at - 1][0] not in here:
                at -= 1
            if at < len(links):
                runs.append((links[at - 1][0] if at else None, links[at:], row.texts))
                here.update(dict.fromkeys([link[0] for link in links[at:]]))
    made: list[Values] = []
    for (previous, links, texts), known in zip(runs, _known(connection, runs), strict=True):
        before = links[known - 1][0] if known else previous
        for digest, body, used in links[known:]:
            last += 1
            held = digest_of(body)
            above = None if before is None else here[before]
            made.append((last, digest, above, before, held))
            here[digest] = last
            content[held] = body
            content |= {one: texts[one] for one in used}
            uses += [(one, -last) for one in used]
            before = digest
    return made


def _known(
    connection: sqlite3.Connection, runs: Sequence[tuple[Any, list[Link], Any]]
) -> list[int]:
    """How many links of each run are there, from its first on."""
    hashes: list[bytes] = []
    asked: list[Values] = []
    for number, (_, links, _) in enumerate(runs):
        first = 16 * len(hashes) + 1
        hashes += [link[0] for link in links]
        asked.append((number, first, 16 * len(hashes) - 15))
    known = [0] * len(runs)
    both = (b"".join(hashes),) * 2
    for number, before in _found(connection, _KNOWN, "?, ?, ?", asked, *both):
        known[number] = before + 1
    return known


def _found(
    connection: sqlite3.Connection,
    query: str,
    marks: str,
    asked: Sequence[Values],
    *first: bytes,
) -> Iterable[list[int]]:
    """The numbers in what a query finds, which is asked with several rows at once."""
    for values, given in _portions(marks, asked):
        [found] = connection.execute(query.format(values), [*first, *given]).fetchone()
        for one in (found or "").split(",") if found else ():
            yield [int(number) for number in one.split(" ")]


def _many(
    connection: sqlite3.Connection, statement: str, marks: str, rows: Collection[Values]
) -> int:
    """Insert rows, many at a time; how many were."""
    made = 0
    for values, given in _portions(marks, list(rows)):
        made += connection.execute(statement.format(values), given).rowcount
    return made


def _portions(marks: str, rows: Sequence[Values]) -> Iterable[tuple[str, list[Any]]]:
    """``VALUES`` for some of the rows, and all that is in them.

    Of few different lengths, so that SQLite need not compile each anew.
    """
    at, size = 0, _MOST
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        yield (
            "VALUES " + ", ".join([f"({marks})"] * size),
            list(chain.from_iterable(rows[at : at + size])),
        )
        at += size
