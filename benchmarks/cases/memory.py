"""How much memory does a call take while it waits in the queue?"""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from benchmarks import payload
from benchmarks.blocks import Effort
from benchmarks.cases.chunk import reader
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import RESTS, resting
from ollamatrace import TracedClient, Tracer

_CHUNKS = 50


def measure(effort: Effort) -> list[Figure]:
    """Small calls, calls of 1 kB, and streams whose chunks are all one object."""
    stub_method(payload.answer(), _CHUNKS)
    [client, _] = clients()
    ways: dict[str, Any] = {}
    with resting() as tracer:
        traced = TracedClient(client, tracer=tracer)
        create = traced.chat.completions.create
        ways["small call"] = lambda: create(**payload.question())
        ways["call of 1 kB"] = lambda: create(**payload.question(payload.asked(1)))
        ways[f"stream of {_CHUNKS} chunks"] = reader(traced)
        return [
            Figure.of(f"queued {name}", "bytes", [_each(call, tracer) for _ in range(repeats)])
            for repeats in [min(effort.rounds, 5)]
            for name, call in ways.items()
        ]


def _each(call: Any, tracer: Tracer) -> float:
    call()
    tracer.flush(60)
    gc.collect()
    tracemalloc.start()
    for _ in range(RESTS):
        call()
    used = tracemalloc.get_traced_memory()[0] / RESTS
    tracemalloc.stop()
    tracer.flush(60)
    return used


if __name__ == "__main__":
    alone(measure, __doc__)
