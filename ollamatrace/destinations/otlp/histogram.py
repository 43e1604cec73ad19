"""How often which values were measured, in the buckets of an instrument."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)  # compared by what it is: that is fast
class Instrument:
    """What is measured.

    Attributes:
        name: Of the metric.
        unit: In UCUM's notation.
        description: What the conventions say that it is; servers compare these.
        bounds: The upper ends of the buckets, which belong to them; one more has no end.
    """

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...]


_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_TOKENS: Final = tuple(4.0**power for power in range(14))

DURATION: Final = Instrument(
    "gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS
)
TOKENS: Final = Instrument(
    "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
)
FIRST_CHUNK: Final = Instrument(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time to receive the first chunk, measured from when the client issues the generation request "
    "to when the first chunk is received in the response stream.",
    _SECONDS,
)
OUTPUT_CHUNK: Final = Instrument(
    "gen_ai.client.operation.time_per_output_chunk",
    "s",
    "Time per output chunk, recorded for each chunk received after the first one, measured as the "
    "time elapsed from the end of the previous chunk to the end of the current chunk.",
    _SECONDS,
)


class Histogram:
    """The values of one instrument that have the same attributes, counted up.

    Attributes:
        counts: How many there are in each bucket.
        total: Their sum.
        least: The smallest.
        most: The largest.
    """

    __slots__ = ("_bounds", "counts", "least", "most", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.least = float("inf")
        self.most = float("-inf")

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    def add(self, *values: float) -> None:
        """Count values, one or more."""
        for value in values:
            self.counts[bisect_left(self._bounds, value)] += 1
            self.total += value
            self.least = min(self.least, value)
            self.most = max(self.most, value)

    def copy(self) -> Histogram:
        """The same as it is now."""
        made = Histogram(self._bounds)
        made.counts = self.counts.copy()
        made.total, made.least, made.most = self.total, self.least, self.most
        return made
