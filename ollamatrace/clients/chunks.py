"""The chunks of a stream as events of its span: made on the worker, in the order they came."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Final

import orjson

from ollamatrace.records import Event, SpanRecord, plain

MOST_EVENTS: Final = 10_000
"""Chunks of one stream that become events; what comes after is only merged and counted."""
CHUNK_EVENT_BYTES: Final = 1280
"""About what one event takes."""
_AT_ONCE: Final = 64
"""Chunks that are looked at together: one by one takes five times as long."""

Came = tuple[int, Any]
"""When a chunk came, in nanoseconds since the epoch, and what it holds."""


class ChunkEvents:
    """Collects the events of one stream.

    Args:
        max_leaf_bytes: The longest text in a chunk that is kept whole.
    """

    __slots__ = ("_count", "_events", "_max_leaf", "_warnings")

    def __init__(self, max_leaf_bytes: int) -> None:
        self._max_leaf = max_leaf_bytes
        self._count = 0
        self._events: list[Event] = []
        self._warnings: dict[str, None] = {}

    def add(self, came: list[Came]) -> None:
        """Note that chunks came."""
        kept = came[: MOST_EVENTS - len(self._events)]
        self._count += len(came)
        for start in range(0, len(kept), _AT_ONCE):
            part = kept[start : start + _AT_ONCE]
            plain_already = self._are_plain([value for _, value in part])
            for time_ns, value in part:
                attributes = {
                    "index": len(self._events),
                    "value": value if plain_already else self._plain(value),
                }
                self._events.append({"name": "chunk", "time_ns": time_ns, "attributes": attributes})

    def give(self, record: SpanRecord) -> None:
        """Put the events into a record, before the exception that ended the stream, if one did."""
        events = record.events
        raised = bool(events) and events[-1]["name"] == "exception"
        at = len(events) - raised
        events[at:at] = self._events
        record.warnings += self._warnings
        if self._count > MOST_EVENTS:
            record.warnings.append(
                f"of {self._count:,} chunks only the first {MOST_EVENTS:,} are kept as events"
            )

    def _are_plain(self, values: list[Any]) -> bool:
        """Whether nothing is to be converted or cut; what came as JSON mostly is fine as it is."""
        try:
            return len(orjson.dumps(values)) <= self._max_leaf
        except orjson.JSONEncodeError:  # half a character, say, or a huge number
            return False

    def _plain(self, value: Any) -> Any:
        taken = plain(value, self._max_leaf)
        self._warnings.update(dict.fromkeys(taken.warnings))
        return taken.content().value
