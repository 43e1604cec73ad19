"""The body of a response that the program gets as bytes."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

import orjson

from ollamatrace.guard import shielded
from ollamatrace.records import SpanRecord, content_of, plain


class Body:
    """A body, as far as the program has read it; decoded on the worker.

    Args:
        content_type: As the server says.
        answer_type: The model class that the SDK would make of it, if it is known.
        max_bytes: The longest body that is kept whole.
    """

    __slots__ = ("_answer_type", "_content_type", "_max_bytes", "_pieces", "_received", "size")

    def __init__(self, content_type: str, answer_type: Any, max_bytes: int) -> None:
        self._content_type = content_type.partition(";")[0].strip().lower()
        self._answer_type = answer_type
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._received = 0
        self.size = 0
        """How many bytes of it are kept."""

    @property
    def is_event_stream(self) -> bool:
        """Whether it is a stream of events."""
        return self._content_type == "text/event-stream"

    def add(self, piece: bytes) -> None:
        """Keep the next piece."""
        kept = piece[: self._max_bytes - self.size]
        self._received += len(piece)
        if kept:
            self._pieces.append(kept)
            self.size += len(kept)

    @shielded
    def give(self, record: SpanRecord) -> None:
        """Put it into a record: in the shape that the SDK would have given, if it says how."""
        if not self.size:
            return
        data = b"".join(self._pieces)
        if self._received > self.size:
            record.warnings.append(
                f"of a body of {self._received:,} bytes only the first {self.size:,} are kept"
            )
        value = self._decoded(data)
        taken = plain(value, self._max_bytes)
        record.output_content = content_of(taken, record.warnings)

    def _decoded(self, data: bytes) -> Any:
        is_text = self._content_type.startswith("text/") or self._content_type.endswith("json")
        if not is_text and data.lstrip()[:1] != b"{":
            return {"content_type": self._content_type, "content": data}
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return data.decode(errors="replace")
        construct = getattr(self._answer_type, "construct", None)
        if construct is None or not isinstance(value, dict):
            return value
        try:
            return construct(**value).model_dump(mode="json", warnings=False)
        except Exception:  # noqa: BLE001  of the SDK, which cannot take what the server sent
            return value
