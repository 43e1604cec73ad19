"""The texts of an embedded store: its spans, what deleted ones left, and its text index."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from ollamatrace.cli.scanning.finding import Finding
from ollamatrace.cli.scanning.scanner import Scanner
from ollamatrace.records.shapes import as_dict
from ollamatrace.store import Store
from ollamatrace.store.remains import ghosts, remains
from ollamatrace.store.scan import Scan

_ZLIB: Final = "eA"
"""How compressed data begins in base64."""
_MOST: Final = 256 * 1024 * 1024
"""Bytes that a compressed text may have."""


def scan_spans(traces: Scan, scanner: Scanner) -> Iterator[Finding | None]:
    """Look at all spans; gives what is found, and ``None`` after each trace."""
    for trace in traces:
        for span in trace.spans:
            yield from scanner.span(orjson.loads(span.line()), where="span")
        yield None


def scan_remains(store: Store, scanner: Scanner) -> Iterator[Finding]:
    """Look at what is in the store beside its spans."""
    for experiment in store.experiments():
        yield from scanner.value(experiment, where="store", file=f"{store.path} experiment")
    for row, bodies in remains(store.path):
        for body in bodies:
            yield from scanner.value(_value(body), where="store", file=f"{store.path} {row}")
    for probe in scanner.probes:
        if probe.literal is not None and ghosts(store.path, probe.literal):
            yield Finding(
                rule=probe.name,
                where="index",
                length=len(probe.literal),
                at=0,
                file=f"{store.path} text index",
            )


def _value(body: str | bytes) -> Any:
    """What a column of the store has: a text, or JSON, or a text that is no JSON."""
    if isinstance(body, str):
        return body
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = body.decode("utf-8", "replace")
    # The chunks of a stream are kept compressed: among the fields of a span, or apart.
    chunks = as_dict(as_dict(value).get("chunks")).get("zlib", value)
    return [value, _unpacked(chunks)] if isinstance(chunks, str) else value


def _unpacked(text: str) -> Any:
    if not text.startswith(_ZLIB):
        return None
    try:
        packed = base64.b64decode(text, validate=True)
        return orjson.loads(zlib.decompressobj().decompress(packed, _MOST))
    except (binascii.Error, zlib.error, orjson.JSONDecodeError):
        return None
