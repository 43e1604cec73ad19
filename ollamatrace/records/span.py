"""The finished form of a span, and a trace as a list of them."""

# `dict[str, Any]`, which pyright would rather have as a factory, takes five times as long to call.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal, TypedDict, cast

import orjson

from ollamatrace.records.content import Content
from ollamatrace.records.counts import Timing, Usage

Status = Literal["OK", "ERROR", "CANCELLED"]
EndReason = Literal[
    "returned",
    "exhausted",
    "closed",
    "abandoned",
    "cancelled",
    "error",
    "incomplete",
    "interrupted",
]


class Event(TypedDict):
    """Something that happened at one moment of a span; an exception in OpenTelemetry's names."""

    name: str
    time_ns: int
    attributes: dict[str, Any]


class Link(TypedDict):
    """A span of another trace that this one belongs with."""

    trace_id: str
    span_id: str


PARENT: Final = "ollamatrace.parent"
"""The attribute of a span whose parent is recorded by another tracer of its process: by which."""

_NOTHING: Final = Content()
"""Shared by all records: it never changes."""


def _no_events() -> Content:
    return Content([])


@dataclass(slots=True, kw_only=True)
class SpanRecord:
    """One finished span, in the field's own terms; destinations map it to theirs.

    Ids are lower-case hex: 32 digits for a trace, 16 for a span. `start_ns` is wall-clock time
    in nanoseconds since the epoch, `end_ns` that plus a monotonic difference. `usage` is ``None``
    where the server sent no counts. `model` is the one that answered, else the one asked for.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start_ns: int
    end_ns: int
    status: Status
    end_reason: EndReason
    status_message: str = ""
    input_content: Content = field(default=_NOTHING, repr=False)
    output_content: Content = field(default=_NOTHING, repr=False)
    attributes: dict[str, Any] = field(default_factory=dict)
    event_content: Content = field(default_factory=_no_events, repr=False)
    links: list[Link] = field(default_factory=list)
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    timing: Timing = field(default_factory=Timing)
    warnings: list[str] = field(default_factory=list)
    session: str | None = None
    user: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def is_top(self) -> bool:
        """Whether nothing above it is recorded: it is a root, or below another tracer's spans."""
        return self.parent_id is None or PARENT in self.attributes

    @property
    def inputs(self) -> Any:
        """The arguments of the call, or what a manual span was given; plain Python values."""
        return self.input_content.value

    @property
    def outputs(self) -> Any:
        """The answer, a stream merged into one; ``None`` where there was none."""
        return self.output_content.value

    @property
    def events(self) -> list[Event]:
        """What happened during the span, a list that may be added to."""
        return cast("list[Event]", self.event_content.opened())

    def __repr__(self) -> str:
        from ollamatrace.records.view.lines import span_line

        return span_line(self)

    def _repr_html_(self) -> str:
        from ollamatrace.records.view.page import span_html

        return span_html(self)

    def line(self) -> bytes:
        """One canonical record line: JSON without the newline, fields in the order above."""
        fields: dict[str, Any] = dict(zip(_NAMES, _values(self), strict=True))
        fields["inputs"] = orjson.Fragment(self.input_content.json)
        fields["outputs"] = orjson.Fragment(self.output_content.json)
        events = self.event_content
        # JSON that is made here is not kept: the list may be added to.
        fields["events"] = orjson.Fragment(events.json) if events.has_json else events.value
        fields["usage"] = None if self.usage is None else self.usage.known()
        fields["timing"] = self.timing.known()
        return orjson.dumps(fields)

    @classmethod
    def from_line(cls, line: bytes | str) -> SpanRecord:
        """Read a canonical record line; names that this version does not know are passed over.

        Raises:
            ValueError: the line is not the JSON object of a span.
        """
        return cls.from_fields(orjson.loads(line))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> SpanRecord:
        """Build a record from the fields of a line.

        Raises:
            ValueError: a field that every span has is missing.
        """
        known: dict[str, Any] = {name: fields[name] for name in _PLAIN if name in fields}
        for name, short in _CONTENT.items():
            if short in fields:
                known[name] = Content(fields[short])
        if known.get("usage") is not None:
            known["usage"] = Usage(**known["usage"])
        known["timing"] = Timing(**known.get("timing", {}))
        try:
            return cls(**known)
        except TypeError as error:
            raise ValueError(f"not a span record: {error}") from None


_FIELDS: Final = tuple(SpanRecord.__dataclass_fields__)
_CONTENT: Final = {
    "input_content": "inputs",
    "output_content": "outputs",
    "event_content": "events",
}
_PLAIN: Final = tuple(name for name in _FIELDS if name not in _CONTENT)
_NAMES: Final = tuple(_CONTENT.get(name, name) for name in _FIELDS)
"""What the fields are called in a line."""
_values: Final = attrgetter(*_FIELDS)


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, in the order in which they started."""

    trace_id: str
    spans: tuple[SpanRecord, ...]

    @property
    def root(self) -> SpanRecord:
        """The span that all others descend from; else the first whose parent is not here (yet)."""
        here = {span.span_id for span in self.spans}
        return next((span for span in self.spans if span.parent_id not in here), self.spans[0])

    def __repr__(self) -> str:
        from ollamatrace.records.view.lines import trace_line

        return trace_line(self)

    def _repr_html_(self) -> str:
        from ollamatrace.records.view.page import trace_html

        return trace_html(self)
