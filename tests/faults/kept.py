"""What an embedded store's file has, read past all of our code."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

_IDS = "SELECT trace.trace_id, span.span_id FROM span JOIN trace ON trace.id = span.trace"


def kept_ids(path):
    """The (trace, span) ids, each of which must be there once."""
    with closing(sqlite3.connect(path)) as connection:
        rows = Counter(connection.execute(_IDS).fetchall())
    assert set(rows.values()) <= {1}
    return rows.keys()
