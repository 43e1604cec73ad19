"""The terminal as a destination: one readable line for each span, on stderr."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence

from ollamatrace.records import Record, SpanRecord, TraceUpdate

_NS_PER_MS = 1_000_000


class Console:
    """Writes spans as lines, as they end."""

    url = "console:"

    def write(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Write one line for each span of `records`."""
        for record in records:
            if isinstance(record, TraceUpdate):
                continue
            sys.stderr.write(_line(record) + "\n")
            pause()
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        """Nothing belongs to the parent."""


def _line(record: SpanRecord) -> str:
    began = dt.datetime.fromtimestamp(record.start_ns / 1e9).astimezone()
    parts = [
        began.strftime("%H:%M:%S.%f")[:-3],
        record.trace_id[:8],
        f"{record.status:<9}",
        f"{(record.end_ns - record.start_ns) / _NS_PER_MS:9.1f} ms ",
        record.name,
    ]
    if record.model:
        parts.append(f"({record.model})")
    if record.usage is not None:
        tokens = record.usage
        parts.append(f"{_count(tokens.input_tokens)} → {_count(tokens.output_tokens)} tokens")
    if record.end_reason not in {"returned", "exhausted"}:
        parts.append(record.end_reason)
    if record.status_message:
        parts.append(record.status_message.partition("\n")[0])
    line = " ".join(parts)
    # A name may hold what moves the cursor or ends the line.
    return "".join(char if char.isprintable() else "�" for char in line)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)
