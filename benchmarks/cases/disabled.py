"""What is left of the cost when tracing is switched off?"""

from __future__ import annotations

import asyncio
import time

from benchmarks import budgets, payload
from benchmarks.blocks import Clock, Effort, Pairs, compared
from benchmarks.cases import call, span
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import stub_method
from benchmarks.tracers import resting
from ollamatrace import Tracer


def measure(effort: Effort) -> list[Figure]:
    """A call, a span and a function of a tracer that is off."""
    stub_method(payload.answer())
    with resting() as tracer, asyncio.Runner() as runner:
        found = compared(pairs(tracer, runner), effort)
    return [Figure.of(name, "µs", found[name], budget=budgets.DISABLED_US) for name in found]


def pairs(tracer: Tracer, runner: asyncio.Runner, clock: Clock = time.perf_counter_ns) -> Pairs:
    """Blocks of what the other cases do, with `tracer` switched off."""
    tracer.disable()
    found = {**call.pairs(tracer, runner, clock), **span.pairs(tracer, clock)}
    return {f"{name}, switched off": pair for name, pair in found.items()}


if __name__ == "__main__":
    alone(measure, __doc__)
