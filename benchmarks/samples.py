"""Repeated measurements of one thing, and what can be said of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Samples:
    """The middle and the spread of some measurements.

    Attributes:
        median: Half of them are below.
        low: A tenth of them are below.
        high: A tenth of them are above.
        p99: One in a hundred is above.
        count: How many they are.
    """

    median: float
    low: float
    high: float
    p99: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up measurements, of which there is one at least."""
        return cls(
            statistics.median(values),
            quantile(values, 0.1),
            quantile(values, 0.9),
            quantile(values, 0.99),
            len(values),
        )


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values are, from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def differences(more: Sequence[float], less: Sequence[float]) -> list[float]:
    """What each of `more` is above its neighbour in `less`, measured right beside it."""
    return [above - below for above, below in zip(more, less, strict=True)]
