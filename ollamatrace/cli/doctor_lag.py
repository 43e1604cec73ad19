"""What `ollamatrace doctor` says about how soon spans of ended programs were at their server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any, Final

from ollamatrace.cli.finding import Finding, ok
from ollamatrace.records.shapes import as_dict
from ollamatrace.records.view import figures

_NS: Final = 1e9


def check_lag(url: str, accounts: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """What the accounts of one server say, if any of them does: older ones do not."""
    known = [as_dict(account.get("arrivals")) for account in accounts]
    usual = _numbers(known, "median_lag_s")
    longest = _numbers(known, "longest_lag_s")
    requests, spans = sum(_numbers(known, "batches")), sum(_numbers(known, "spans"))
    if usual and longest and requests:
        yield ok(
            "lag",
            f"{url}: spans were there {_duration(median(usual))} after they ended (median of the "
            f"programs; longest {_duration(max(longest))}), {spans / requests:,.1f} in a request, "
            f"{max(_numbers(known, 'largest_spans'), default=0):,.0f} at most",
        )


def _numbers(known: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    values = [one.get(name) for one in known]
    return [value for value in values if isinstance(value, int | float)]


def _duration(seconds: float) -> str:
    return figures.duration(round(seconds * _NS))
