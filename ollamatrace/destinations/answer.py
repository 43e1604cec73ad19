"""What any server says in an answer that is no success."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import Final

from ollamatrace.destinations import http

PASSING: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which it is to be tried again."""
_SHOWN: Final = 200


def one_line(text: str) -> str:
    """A text of the server as part of a message."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def retry_after(response: http.Response) -> float | None:
    """``Retry-After`` in seconds: it holds a number of them, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())
    except (ValueError, OverflowError):  # a year or a zone that cannot be
        return None
