"""What does tracing add to a small call, on the thread that makes it?

The SDK's method answers at once, so that the difference is the tracer's; its thread rests.
"""

from __future__ import annotations

import asyncio
import time

from openai import OpenAI

from benchmarks import budgets, payload
from benchmarks.blocks import Clock, Effort, Pairs, awaited, compared, repeated, singly
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.samples import Samples
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import resting
from ollamatrace import TracedClient, Tracer

CALLS = 200


def measure(effort: Effort) -> list[Figure]:
    """Sync and async."""
    stub_method(payload.answer())
    with resting() as tracer, asyncio.Runner() as runner:
        found = compared(pairs(tracer, runner), effort, tracer.flush)
        p99 = _p99(tracer, effort)
    return [
        Figure.of("call", "µs", found["call"], p99=p99, budget=budgets.CALL_US),
        Figure.of("async call", "µs", found["async call"], budget=budgets.CALL_US),
    ]


def _p99(tracer: Tracer, effort: Effort) -> float:
    """What one call in a hundred takes above the usual bare one."""
    [client, _] = clients()
    bare = Samples.of(_times(client, tracer, effort))
    return Samples.of(_times(TracedClient(client, tracer=tracer), tracer, effort)).p99 - bare.median


def _times(client: OpenAI, tracer: Tracer, effort: Effort) -> list[float]:
    create, asked = client.chat.completions.create, payload.question()
    times: list[float] = []
    for _ in range(max(3, effort.rounds // 4)):
        times += singly(lambda: create(**asked), CALLS)
        tracer.flush()
    return times


def pairs(tracer: Tracer, runner: asyncio.Runner, clock: Clock = time.perf_counter_ns) -> Pairs:
    """Blocks of calls."""
    client, aclient = clients()
    asked = payload.question()
    bare, abare = client.chat.completions.create, aclient.chat.completions.create
    traced = TracedClient(client, tracer=tracer).chat.completions.create
    atraced = TracedClient(aclient, tracer=tracer).chat.completions.create
    return {
        "call": (
            repeated(lambda: bare(**asked), CALLS, clock),
            repeated(lambda: traced(**asked), CALLS, clock),
        ),
        "async call": (
            awaited(lambda: abare(**asked), CALLS, runner, clock),
            awaited(lambda: atraced(**asked), CALLS, runner, clock),
        ),
    }


if __name__ == "__main__":
    alone(measure, __doc__)
