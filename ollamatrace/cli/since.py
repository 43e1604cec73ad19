"""The moment that ``--since`` means."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from ollamatrace.errors import ConfigError

_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_US: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def parse_since(text: str, now: datetime) -> int:
    """Nanoseconds since the epoch of ``30m``, ``2h``, ``3d`` ago, or of an ISO date or time.

    Raises:
        ConfigError: it is neither.
    """
    asked = text.strip()
    try:
        if match := _AGO.fullmatch(asked.lower()):
            then = now - timedelta(seconds=int(match[1]) * _UNIT_S[match[2]])
        else:
            then = datetime.fromisoformat(asked).astimezone()  # without a zone: local time
        return (then - _EPOCH) // _US * 1000
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--since takes 30m, 2h, 3d or a date like 2026-01-31T12:00, not {text!r}"
        ) from None
