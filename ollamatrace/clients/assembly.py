"""What a stream brings, put together as it comes: on the worker."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

from ollamatrace.clients.answers import Answer, Merger
from ollamatrace.clients.chunks import Came, ChunkEvents
from ollamatrace.clients.event_stream import EventStream
from ollamatrace.guard import report, shielded
from ollamatrace.pipeline.pause import Pause
from ollamatrace.records import SpanRecord, content_of, plain
from ollamatrace.settings import Capture

Part = tuple[int, Any]
"""When a part came, on the performance counter, and the part: a chunk as an object of the SDK or
as plain values, or bytes of an event stream."""


class Assembly:
    """The answer as far as it has come, with its chunks as events and its first tokens' times.

    Args:
        answer: How the endpoint answers.
        capture: What is recorded.
        start_ns: When the call began, in nanoseconds since the epoch.
        begun: When that was on the performance counter.
    """

    __slots__ = (
        "_begun",
        "_capture",
        "_count",
        "_event_stream",
        "_events",
        "_first",
        "_merger",
        "_start_ns",
    )

    def __init__(self, answer: Answer, capture: Capture, start_ns: int, begun: int) -> None:
        self._merger = answer.merger()
        self._capture = capture
        self._start_ns = start_ns
        self._begun = begun
        self._count = 0
        self._first: dict[str, int] = {}
        """When the first token and the first answer token came, by field of `Timing`."""
        self._event_stream = EventStream()
        self._events = ChunkEvents(capture.max_leaf_bytes) if capture.stream_events else None

    @property
    def complete(self) -> bool:
        """Whether the server's final message has come."""
        return self._merger.complete

    def add(self, parts: list[Part]) -> None:
        """Put the next parts to those before."""
        pause = Pause()
        came: list[Came] = []
        for time_ns, part in parts:
            since_ns = time_ns - self._begun
            chunks = self._event_stream.feed(part) if isinstance(part, bytes) else (part,)
            for chunk in chunks:
                plainly = chunk if isinstance(chunk, dict) else dumped(chunk)
                if plainly is not None:
                    self._merge(since_ns, plainly)
                came.append((self._start_ns + since_ns, chunk if plainly is None else plainly))
                pause()
        self._count += len(came)
        if self._events is not None:
            self._events.add(came)

    def _merge(self, since_ns: int, chunk: dict[str, Any]) -> None:
        try:
            channel = self._merger.add(chunk)
        except Exception as error:  # noqa: BLE001  shielded in place: there are thousands
            report("Merger.add", error)
            return
        if channel is not None and "first_answer_ns" not in self._first:
            self._first.setdefault("first_token_ns", since_ns)
            if channel == "answer":
                self._first["first_answer_ns"] = since_ns

    def give(self, record: SpanRecord) -> None:
        """Put all of it into a record."""
        for name, value in {**self._first, "chunks": self._count}.items():
            setattr(record.timing, name, value)
        if self._events is not None:
            self._events.give(record)
        merged = _result(self._merger) if self._count else None
        if merged is not None:
            taken = plain(merged, self._capture.max_leaf_bytes)
            record.output_content = content_of(taken, record.warnings)


@shielded
def dumped(chunk: Any) -> dict[str, Any] | None:
    """A chunk as plain values; ``None``: a server may send anything, also what is no object."""
    return chunk.model_dump(warnings=False) if hasattr(chunk, "model_dump") else None


@shielded
def _result(merger: Merger) -> dict[str, Any]:
    return merger.result()
