"""Which traces meet a query: what the server can be asked, and the look that decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

from ollamatrace.destinations.backend import Query
from ollamatrace.destinations.mlflow.accepted import MAX_SESSION
from ollamatrace.records import SpanRecord, Trace
from ollamatrace.records.shapes import is_dict, is_list

_PLAIN: Final = re.compile(r"[A-Za-z0-9 .,:;!?@/()+=_-]+")
"""Text that is stored as it is, and that a filter's quotes can hold."""
_NS_PER_MS: Final = 1_000_000
_LONGEST_MS: Final = 24 * 3600 * 1000
"""A span that began late in a trace longer than that is not found by when it began."""
_LATEST_MS: Final = 2**63 - 1
"""The latest time that the server's database can hold."""
_MAX_PATTERN: Final = 1000
"""Characters of a text that the server is asked to look for: databases limit them."""
_ENCODED: Final = re.compile(r"(?:data:[^,]{0,200},)?[A-Za-z0-9+/=_-]{4096}")
"""How an image or a sound begins: not text."""


def filters_of(query: Query) -> list[str]:
    """Filters of MLflow's: all traces that meet `query` pass one of them, and some others do.

    Attributes of spans are not filtered by: the server compares them in the form of JSON.
    """
    terms: list[str] = []
    if query.status is not None:
        terms.append(
            "span.status IN ('OK', 'UNSET')" if query.status == "OK" else "span.status = 'ERROR'"
        )
    if query.model and _PLAIN.fullmatch(query.model):
        terms.append(_like("span.content", query.model))
    if query.since_ns is not None:
        since_ms = query.since_ns // _NS_PER_MS - _LONGEST_MS
        terms.append(f"timestamp_ms >= {_clamped(since_ms)}")
    if query.until_ns is not None:
        terms.append(f"timestamp_ms <= {_clamped(query.until_ns // _NS_PER_MS)}")
    ways = product(_session_terms(query.session), _text_terms(query.text))
    return [" AND ".join(filter(None, [*terms, *way])) for way in ways]


def _session_terms(session: str | None) -> list[str]:
    """Terms of which a trace of this session meets one; empty where the server cannot be asked."""
    if not session or not _PLAIN.fullmatch(session):
        return [""]
    # The metadata have one session of the trace, cut; what was said later is there alone.
    terms = [_like("span.content", session)]
    if len(session) <= MAX_SESSION:
        terms.append(f"metadata.`mlflow.trace.session` = '{session}'")
    return terms


def _text_terms(text: str | None) -> list[str]:
    """Terms of which a trace with this text meets one; empty where the server cannot be asked."""
    if not text or not _PLAIN.fullmatch(text):
        return [""]
    # A trace that was renamed has its new name in no span.
    return [_like("span.content", text), _like("name", text)]


def _like(place: str, text: str) -> str:
    return f"{place} ILIKE '%{text[:_MAX_PATTERN]}%'"


def _clamped(time_ms: int) -> int:
    return min(max(time_ms, 0), _LATEST_MS)


def matches(query: Query, trace: Trace) -> bool:
    """Whether a span of `trace` meets all of `query`."""
    text = query.text.casefold() if query.text else None
    return any(_meets(query, span, text) for span in trace.spans)


def _meets(query: Query, span: SpanRecord, text: str | None) -> bool:
    return (
        (query.status is None or span.status == query.status)
        and (query.model is None or span.model == query.model)
        and (query.session is None or span.session == query.session)
        and (query.since_ns is None or span.start_ns >= query.since_ns)
        and (query.until_ns is None or span.start_ns < query.until_ns)
        and (text is None or any(text in one.casefold() for one in _texts(span)))
    )


def _texts(span: SpanRecord) -> Iterator[str]:
    """Name, inputs, outputs and error, without keys and without encoded images."""
    yield span.name
    yield span.status_message
    for event in span.events:
        if event["name"] == "exception":
            yield from _leaves(event["attributes"])
    yield from _leaves(span.inputs)
    yield from _leaves(span.outputs)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if not _ENCODED.match(value):
            yield value
    elif is_dict(value):
        for item in value.values():
            yield from _leaves(item)
    elif is_list(value):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
