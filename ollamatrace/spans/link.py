"""What is given to be linked to."""

from __future__ import annotations

from typing import Any

from ollamatrace import guard
from ollamatrace.ids import parse_span_id, parse_trace_id


def ids_of(to: Any) -> tuple[int, int]:
    """The ids that were given as texts; zeros, with a warning, if that is not what was given."""
    try:
        trace, span = to
        return int(parse_trace_id(trace), 16), int(parse_span_id(span), 16)
    except (AttributeError, TypeError, ValueError) as error:
        guard.warn(
            "link", f"Span.link takes a span, or its trace id and span id in hex digits: {error}"
        )
        return 0, 0
