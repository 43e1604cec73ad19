"""A span in the wire format of protobuf: by way of messages it would take several times as long.

The numbers are those of the fields in `opentelemetry/proto/trace/v1/trace.proto`, with the kind of
value that follows. See https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from typing import Final

from ollamatrace.destinations.otlp.encoding import SAMPLED
from ollamatrace.destinations.otlp.outgoing import Happening, Outgoing
from ollamatrace.destinations.otlp.values import Value
from ollamatrace.records import Link

_LENGTHS: Final = tuple(bytes([length]) for length in range(128))
_INT64: Final = 2**64 - 1
_fixed64: Final = struct.Struct("<Q").pack
_double: Final = struct.Struct("<d").pack


def varint(number: int) -> bytes:
    """A number, seven bits a byte."""
    if 0 <= number < len(_LENGTHS):
        return _LENGTHS[number]
    number &= _INT64
    made = bytearray()
    while number > 127:  # noqa: PLR2004  seven bits
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


def field(number: int, body: bytes) -> bytes:
    """A field that holds bytes, a text or a message."""
    return _LENGTHS[number << 3 | 2] + varint(len(body)) + body


def pairs(number: int, attributes: Mapping[str, Value] | Mapping[str, str]) -> bytes:
    """Attributes, as a field that is there several times."""
    mark = _LENGTHS[number << 3 | 2]
    made: list[bytes] = []
    for key, value in attributes.items():
        if isinstance(value, str):  # most are
            text = value.encode()
            length = varint(len(text))
            held = b"\x12" + varint(1 + len(length) + len(text)) + b"\x0a" + length
        else:
            held, text = field(2, _value(value)), b""
        name = _key(key)
        made += (mark, varint(len(name) + len(held) + len(text)), name, held, text)
    return b"".join(made)


@functools.lru_cache(maxsize=512)
def _key(key: str) -> bytes:
    return field(1, key.encode())


def _value(value: Value) -> bytes:
    """An ``AnyValue``: what it holds is there also where it is nothing."""
    if isinstance(value, str):
        return field(1, value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    return field(5, b"".join([field(1, _value(item)) for item in value]))


def span_message(span: Outgoing) -> bytes:
    """A ``Span``."""
    made = [
        field(1, bytes.fromhex(span.trace_id)),
        field(2, bytes.fromhex(span.span_id)),
        field(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
        field(5, span.name.encode()),
        b"\x30" + varint(span.kind),
        b"\x39" + _fixed64(max(span.start_ns, 0)),
        b"\x41" + _fixed64(max(span.end_ns, 0)),
        pairs(9, span.attributes),
        *[field(11, _event(event)) for event in span.events],
        *[field(13, _link(link)) for link in span.links],
        field(15, field(2, span.message.encode()) + b"\x18" + varint(span.status)),
        b"\x85\x01" + struct.pack("<I", SAMPLED),
    ]
    return b"".join(made)


def _event(event: Happening) -> bytes:
    time = b"\x09" + _fixed64(max(event.time_ns, 0))
    return time + field(2, event.name.encode()) + pairs(3, event.attributes)


def _link(link: Link) -> bytes:
    return field(1, bytes.fromhex(link["trace_id"])) + field(2, bytes.fromhex(link["span_id"]))
