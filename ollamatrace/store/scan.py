"""A walk through many traces of a store that holds up nobody who writes."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from ollamatrace.records import Trace
from ollamatrace.store.retention import THERE
from ollamatrace.store.rows import SELECT, read

_TRACES: Final = 64
"""The most traces read in one transaction."""
_BYTES: Final = 4 * 1024 * 1024
"""How many bytes of them end it earlier."""


class Scan:
    """Some traces of a store, as they were found when it began; read while they are iterated.

    It remembers 8 bytes for each trace. What is deleted meanwhile is passed over.

    Args:
        reading: Opens the store for one short transaction.
        traces: The row ids of the traces, in the order in which they are to come.
        experiment: Give only the spans that belong to it; ``None``: all.
    """

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[sqlite3.Connection | None]],
        traces: array[int],
        experiment: str | None,
    ) -> None:
        self._reading = reading
        self._ids = traces
        self._experiment = experiment

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Trace]:
        position = 0
        while position < len(self._ids):
            some: list[Trace] = []
            size = 0
            with self._reading() as connection:
                if connection is None:
                    return
                while position < len(self._ids) and len(some) < _TRACES and size < _BYTES:
                    trace = self._read(connection, self._ids[position])
                    position += 1
                    if trace is not None:
                        some.append(trace)
                        size += _size(trace)
            yield from some

    def _read(self, connection: sqlite3.Connection, trace: int) -> Trace | None:
        terms = f"span.trace = ? AND {THERE}"
        values: list[int | str] = [trace]
        if self._experiment is not None:
            terms += " AND span.experiment = ?"
            values.append(self._experiment)
        # Of spans that start together, the parent ends last and is written last.
        order = "span.start_ns, span.end_ns DESC, span.id DESC"
        rows = connection.execute(f"{SELECT} WHERE {terms} ORDER BY {order}", values).fetchall()
        if not rows:
            return None
        return Trace(rows[0][0], tuple(read(connection, row) for row in rows))


def _size(trace: Trace) -> int:
    return sum(len(one.input_content.json) + len(one.output_content.json) for one in trace.spans)
