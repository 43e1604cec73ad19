"""How large a store would be with its newest traces only, without deleting anything."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple, cast

from ollamatrace.store.connection import explained, open_reader
from ollamatrace.store.content import references
from ollamatrace.store.retention import THERE, Limits, used_bytes

# From the spans: a file of the first schema, which reading does not migrate, says it nowhere else.
_TRACES: Final = f"""
    SELECT id, (SELECT max(end_ns) FROM span WHERE trace = trace.id) AS last FROM trace
    WHERE {THERE} AND last IS NOT NULL ORDER BY last DESC, id DESC
"""  # noqa: S608  a constant
_SPANS: Final = "SELECT rest, inputs, outputs FROM span WHERE trace = ?"
_TEXT: Final = "SELECT id, length(body) FROM content WHERE hash = ?"
_LINK: Final = """
    SELECT link.id, link.previous, link.content, content.body
    FROM link JOIN content ON content.id = link.content WHERE
"""
_ROW_BYTES: Final = 150
"""About what a row takes beside its texts, with its indexes."""


class Estimate(NamedTuple):
    """What would be deleted.

    Attributes:
        traces: How many traces, exactly.
        freed_bytes: How many bytes of the file, about.
    """

    traces: int
    freed_bytes: int


def estimate(path: Path, limits: Limits, keep: int | None) -> Estimate:
    """What of the file at `path` is beyond `limits`, or is not of the `keep` newest traces.

    Raises:
        ConfigError: it is another program's file, or a newer version's.
        StoreError: it cannot be read.
    """
    with explained(path, "read"):
        connection = open_reader(path)
        if connection is None:
            return Estimate(0, 0)
        with contextlib.closing(connection):
            used = used_bytes(connection)
            walk = _Walk(connection)
            traces = connection.execute(_TRACES).fetchall()
            sizes = list(itertools.accumulate(walk.added(trace) for trace, _ in traces))
    if not sizes:
        return Estimate(0, 0)
    scale = used / sizes[-1]
    kept = sum(
        (max(end_ns, 0), trace) >= limits.after
        and (keep is None or number < keep)
        and size * scale <= limits.max_bytes
        for number, ((trace, end_ns), size) in enumerate(zip(traces, sizes, strict=True))
    )
    return Estimate(len(sizes) - kept, used - round(scale * sizes[kept - 1] if kept else 0))


class _Walk:
    """Goes through traces and counts what none before had."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._texts: set[bytes | int] = set()
        self._links: set[int] = set()

    def added(self, trace: int) -> int:
        """The bytes that a trace adds."""
        size = _ROW_BYTES
        for row in self._connection.execute(_SPANS, (trace,)):
            size += _ROW_BYTES + sum(map(len, row))
            for body in row:
                for kind, digest in references(body):
                    size += self._list(digest) if kind == "list" else self._text(digest)
        return size

    def _text(self, digest: bytes) -> int:
        if digest in self._texts:
            return 0
        self._texts.add(digest)
        row = self._connection.execute(_TEXT, (digest,)).fetchone()
        return _ROW_BYTES + cast("int", row[1])

    def _list(self, digest: bytes) -> int:
        size = 0
        row = self._connection.execute(f"{_LINK} link.hash = ?", (digest,)).fetchone()
        while row is not None and row[0] not in self._links:
            link, previous, content, body = row
            self._links.add(link)
            size += _ROW_BYTES + sum(self._text(used) for _, used in references(body))
            if content not in self._texts:
                self._texts.add(content)
                size += len(body)
            row = self._connection.execute(f"{_LINK} link.id = ?", (previous,)).fetchone()
        return size
