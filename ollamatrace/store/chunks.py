"""The chunks of a stream among a span's events: much the same again and again, so kept compressed.

As they are they would take a hundred times the room of the answer that they make up. No search
looks into them, so they stay compressed until somebody asks a span for its events.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Any, Final

import orjson

from ollamatrace.records import Content, Event

_FEWEST: Final = 8
"""Chunks below which compressing them is not worth it."""
_AT_ONCE: Final = 64
"""Chunks that are serialised and compressed in one step."""
_LEVEL: Final = 1


def fold(rest: dict[str, Any], pause: Callable[[], None]) -> None:
    """Replace a run of chunks among ``rest["events"]`` by ``rest["chunks"]``; `unfold` is back."""
    events: list[Event] = rest.get("events", [])
    if len(events) < _FEWEST:
        return
    start = next((at for at, event in enumerate(events) if _is_chunk(event)), len(events))
    run = list(takewhile(_is_chunk, events[start:]))
    if len(run) < _FEWEST:
        return
    rest["events"] = events[:start] + events[start + len(run) :]
    rest["chunks"] = {"at": start, "zlib": base64.b64encode(_compressed(run, pause)).decode()}


def unfold(rest: dict[str, Any]) -> Content:
    """Take the events out of `rest`, with the chunks back among them when they are looked at."""
    events = rest.pop("events", [])
    folded = rest.pop("chunks", None)
    return Content(events) if folded is None else Content(json=partial(_joined, events, folded))


def _is_chunk(event: Event) -> bool:
    return event["name"] == "chunk"


def _joined(events: list[Event], folded: dict[str, Any]) -> bytes:
    at = folded["at"]
    run = zlib.decompress(base64.b64decode(folded["zlib"]))
    parts = (orjson.dumps(events[:at]), run, orjson.dumps(events[at:]))
    return b"[" + b",".join(inner for part in parts if (inner := part[1:-1])) + b"]"


def _compressed(run: list[Event], pause: Callable[[], None]) -> bytes:
    packer = zlib.compressobj(_LEVEL)
    pieces: list[bytes] = []
    for start in range(0, len(run), _AT_ONCE):
        body = orjson.dumps(run[start : start + _AT_ONCE])
        pieces.append(packer.compress((b"," if start else b"[") + body[1:-1]))
        pause()
    return b"".join((*pieces, packer.compress(b"]"), packer.flush()))
