"""Numbers as people read them; what is absent is a dash, never a zero."""

from __future__ import annotations

from datetime import datetime
from typing import Final

ABSENT: Final = "–"

_US: Final = 1_000
_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_KB: Final = 1000


def duration(ns: int | None) -> str:
    """``21 µs``, ``4.5 ms``, ``52 ms``, ``2.26 s``, ``3m 05s``, ``2h 10m``."""
    if ns is None:
        return ABSENT
    if ns < 0.095 * _MS:
        return f"{ns / _US:.0f} µs"
    if ns < 9.95 * _MS:
        return f"{ns / _MS:.1f} ms"
    if ns < 999.5 * _MS:
        return f"{ns / _MS:.0f} ms"
    seconds = ns / _S
    if seconds < _MINUTE_S - 0.005:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m {whole % _MINUTE_S:02}s"
    return f"{whole // _HOUR_S}h {whole % _HOUR_S // _MINUTE_S:02}m"


def count(number: int | None) -> str:
    """``1,234``."""
    return ABSENT if number is None else f"{number:,}"


def counted(number: int, noun: str) -> str:
    """``1 span``, ``1,234 spans``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tokens(taken_in: int | None, given_out: int | None) -> str:
    """``13 → 8``."""
    if taken_in is None and given_out is None:
        return ABSENT
    return f"{count(taken_in)} → {count(given_out)}"


def rate(number: int | None, ns: int | None) -> str:
    """Tokens a second, ``44.1 tokens/s``."""
    if number is None or not ns:
        return ABSENT
    return f"{number * _S / ns:.1f} tokens/s"


def size(size_bytes: int) -> str:
    """``12 kB``."""
    if size_bytes < _KB:
        return f"{size_bytes} bytes"
    kilobytes = size_bytes / _KB
    return f"{kilobytes:.0f} kB" if kilobytes < _KB else f"{kilobytes / _KB:.1f} MB"


def moment(ns: int) -> str:
    """Local date and time to the millisecond."""
    local = datetime.fromtimestamp(ns // _S).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S}.{ns % _S // _MS:03}"


def short_moment(ns: int, now: datetime) -> str:
    """The time if it is from today, else the date and, this year, the time."""
    local = datetime.fromtimestamp(ns // _S).astimezone()
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%m-%d %H:%M}" if local.year == now.year else f"{local:%Y-%m-%d}"
