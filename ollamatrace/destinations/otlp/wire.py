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

_ONE_BYTE: Final = 1 << 7
_TWO_BYTES: Final = 1 << 14
"""Numbers below take as much."""
_LENGTHS: Final = tuple(bytes([length]) for length in range(_ONE_BYTE))
_INT64: Final = 2**64 - 1
_SHORT: Final = 32
"""Characters of a text that other spans may have, too."""
_fixed64: Final = struct.Struct("<Q").pack
_double: Final = struct.Struct("<d").pack


def varint(number: int) -> bytes:
    """A number, seven bits a byte."""
    if 0 <= number < _ONE_BYTE:
        return _LENGTHS[number]
    if 0 <= number < _TWO_BYTES:
        return bytes((number & 127 | 128, number >> 7))
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
    made: list[bytes] = []
    for key, value in attributes.items():
        if isinstance(value, int) or (isinstance(value, str) and len(value) <= _SHORT):
            made.append(_usual(number, key, value))
        else:
            made.append(_pair(number, key, value))
    return b"".join(made)


def _pair(number: int, key: str, value: Value) -> bytes:
    name, held = _key(key), _value(value)
    size = varint(len(held))
    head = (_LENGTHS[number << 3 | 2], varint(len(name) + 1 + len(size) + len(held)))
    return b"".join((*head, name, b"\x12", size, held))


_usual: Final = functools.lru_cache(maxsize=1024, typed=True)(_pair)
"""Most that a span says others say, too: the model, the server, why it ended."""


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
