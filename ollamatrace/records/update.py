"""What is said about a trace after some or all of its spans have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

_MARK: Final = "trace_update"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceUpdate:
    """Changes to a whole trace. ``None`` and empty leave things as they are.

    Attributes:
        trace_id: 32 hex digits.
        session: Its session (conversation) id.
        user: Who it was done for.
        tags: Added to its tags; the same key again replaces the value.
        metadata: The same for its metadata.
        name: What its root span is called from now on.
    """

    trace_id: str
    session: str | None = None
    user: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    name: str | None = None

    def line(self) -> bytes:
        """One JSON line, as `SpanRecord.line`; its first name tells the two apart."""
        return orjson.dumps({_MARK: asdict(self)})

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> TraceUpdate | None:
        """The update that a line holds; ``None`` if it is the line of something else."""
        known = fields.get(_MARK)
        return None if known is None else cls(**known)
