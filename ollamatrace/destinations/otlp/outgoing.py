"""A span as OTLP has it, before it is encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ollamatrace.destinations.otlp.genai import genai_attributes, genai_name
from ollamatrace.destinations.otlp.openinference import openinference_attributes
from ollamatrace.destinations.otlp.target import Names
from ollamatrace.destinations.otlp.values import Value, attribute_value
from ollamatrace.destinations.pieces import is_small
from ollamatrace.records import Link, SpanRecord, utf8

_INTERNAL, _CLIENT = 1, 3
_OK, _ERROR = 1, 2
_CHUNK: Final = "chunk"
_FIRST_TOKEN: Final = "First Token Stream Event"  # noqa: S105  OpenInference's


class Happening(NamedTuple):
    """An event."""

    name: str
    time_ns: int
    attributes: dict[str, Value]


class Outgoing(NamedTuple):
    """A span; ids are hex digits, times nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    events: list[Happening]
    links: list[Link]
    status: int
    message: str


def outgoing(record: SpanRecord, names: Names, pause: Callable[[], None]) -> Outgoing:
    """Put a record into the form of OTLP.

    Args:
        record: A finished span.
        names: Whose names its attributes get.
        pause: To be called between pieces of work.
    """
    is_genai = names == "genai"
    made = genai_attributes(record) if is_genai else openinference_attributes(record)
    pause()
    failed = record.status != "OK"
    message = record.status_message or ("cancelled" if record.status == "CANCELLED" else "")
    return Outgoing(
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_id=record.parent_id,
        name=utf8(genai_name(record) if is_genai else record.name),
        kind=_INTERNAL if record.provider is None else _CLIENT,
        start_ns=record.start_ns,
        end_ns=max(record.end_ns, record.start_ns),
        attributes=_values(made, None if is_small(record) else pause),
        events=list(_events(record, pause, is_genai=is_genai)),
        links=record.links,
        status=_ERROR if failed else _OK,
        message=utf8(message) if failed else "",
    )


def _events(
    record: SpanRecord, pause: Callable[[], None], *, is_genai: bool
) -> Iterator[Happening]:
    """What happened, but for the chunks of a stream: thousands, of which the answer is made."""
    first = record.timing.first_token_ns
    if not is_genai and first is not None:
        yield Happening(_FIRST_TOKEN, record.start_ns + first, {})
    for event in record.events:
        if event["name"] != _CHUNK:
            known = _values(event["attributes"], pause)
            yield Happening(utf8(event["name"]), event["time_ns"], known)


def _values(made: Mapping[str, Any], pause: Callable[[], None] | None) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, value in made.items():
        if value is not None:
            is_ready = type(value) is str and value.isascii()
            name = key if key.isascii() else utf8(key)
            values[name] = value if is_ready else attribute_value(value, pause)
    return values
