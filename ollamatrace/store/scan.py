"""A walk through many traces of a store that holds up nobody who writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from ollamatrace.records import Trace
from ollamatrace.store.rows import SELECT, read

_TRACES: Final = 64
"""The most traces read in one transaction."""
_BYTES: Final = 4 * 1024 * 1024
"""How many bytes of them end it earlier."""
_ID_BYTES: Final = 16


class Scan:
    """Some traces of a store, as they were found when it began; read while they are iterated.

    It remembers the 16 bytes of each trace's id, not its row id, which may be used again. What is
    deleted meanwhile is passed over.

    Args:
        reading: Opens the store for one short transaction.
        traces: The ids of the traces, 16 bytes each, in the order in which they are to come.
        experiment: Give only the spans that belong to it; ``None``: all.
    """

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[sqlite3.Connection | None]],
        traces: bytes | bytearray,
        experiment: str | None,
    ) -> None:
        self._reading = reading
        self._ids = traces
        self._experiment = experiment

    def __len__(self) -> int:
        return len(self._ids) // _ID_BYTES

    def __iter__(self) -> Iterator[Trace]:
        position = 0
        while position < len(self):
            some: list[Trace] = []
            size = 0
            with self._reading() as connection:
                if connection is None:
                    return
                while position < len(self) and len(some) < _TRACES and size < _BYTES:
                    trace = self._read(connection, self._trace_id(position))
                    position += 1
                    if trace is not None:
                        some.append(trace)
                        size += _size(trace)
            yield from some

    def _trace_id(self, position: int) -> str:
        return self._ids[position * _ID_BYTES : (position + 1) * _ID_BYTES].hex()

    def _read(self, connection: sqlite3.Connection, trace_id: str) -> Trace | None:
        terms = "trace.trace_id = ?"
        values = [trace_id]
        if self._experiment is not None:
            terms += " AND span.experiment = ?"
            values.append(self._experiment)
        # Of spans that start together, the parent ends last and is written last.
        order = "span.start_ns, span.end_ns DESC, span.id DESC"
        rows = connection.execute(f"{SELECT} WHERE {terms} ORDER BY {order}", values).fetchall()
        if not rows:
            return None
        return Trace(trace_id, tuple(read(connection, row) for row in rows))


def _size(trace: Trace) -> int:
    return sum(len(one.input_content.json) + len(one.output_content.json) for one in trace.spans)
