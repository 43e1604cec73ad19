"""What do a span of one's own and a traced function cost?"""

from __future__ import annotations

import time

from benchmarks import budgets
from benchmarks.blocks import Clock, Effort, Pairs, compared, repeated
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.tracers import resting
from ollamatrace import Tracer

SPANS = 200


def measure(effort: Effort) -> list[Figure]:
    """Over a function that does next to nothing."""
    with resting() as tracer:
        found = compared(pairs(tracer), effort, tracer.flush)
    return [
        Figure.of("span", "µs", found["span"], budget=budgets.SPAN_US),
        Figure.of("traced function", "µs", found["traced function"]),
    ]


def pairs(tracer: Tracer, clock: Clock = time.perf_counter_ns) -> Pairs:
    """Blocks of spans, and of calls of a function."""

    def spanned() -> None:
        with tracer.span("step"):
            _add(1, 2)

    traced = tracer.trace(_add)
    bare = repeated(lambda: _add(1, 2), SPANS, clock)
    return {
        "span": (bare, repeated(spanned, SPANS, clock)),
        "traced function": (bare, repeated(lambda: traced(1, 2), SPANS, clock)),
    }


def _add(first: int, second: int) -> int:
    return first + second


if __name__ == "__main__":
    alone(measure, __doc__)
