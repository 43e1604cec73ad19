"""Does an event loop feel the tracer's thread, which ships 1,000 calls a second?

Every hundredth of a second a task makes ten calls; another one asks to be woken every millisecond,
and notes how late it is. A program that does so bare takes turns with a traced one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks import budgets, payload
from benchmarks.blocks import Effort
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.samples import Samples, quantile
from benchmarks.sink import sink
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import MODES, tracer_to
from ollamatrace import TracedClient

CALLS, EVERY_S, TICK_S = 10, 0.01, 0.001
TURNS = 4


@dataclass
class _Felt:
    late_ms: list[float] = field(default_factory=list)
    call_us: list[float] = field(default_factory=list)


def measure(effort: Effort) -> list[Figure]:
    """For each kind of destination."""
    stub_method(payload.answer(payload.text(450)))
    [_, client] = clients()
    found = []
    with sink() as server:
        for mode in MODES:
            bare, traced = _Felt(), _Felt()
            with tracer_to(mode, server.url) as tracer:
                wrapped = TracedClient(client, tracer=tracer)
                asyncio.run(_program(wrapped, effort.seconds / TURNS, _Felt()))
                for _ in range(TURNS):
                    asyncio.run(_program(client, effort.seconds / TURNS, bare))
                    asyncio.run(_program(wrapped, effort.seconds / TURNS, traced))
                    tracer.flush(60)
            found += _figures(mode, bare, traced)
    return found


def _figures(mode: str, bare: _Felt, traced: _Felt) -> list[Figure]:
    late, usual = Samples.of(traced.late_ms), Samples.of(bare.late_ms)
    call, alike = Samples.of(traced.call_us), Samples.of(bare.call_us)
    return [
        Figure(
            f"event loop later, {mode}",
            "ms",
            late.median - usual.median,
            p99=late.p99 - usual.p99,
            count=late.count,
            budget=budgets.LAG_MS,
            p99_budget=budgets.LAG_P99_MS,
            note=f"bare: {usual.median:.2f}, p99 {usual.p99:.2f}",
        ),
        Figure(
            f"call meanwhile, {mode}",
            "µs",
            call.median - alike.median,
            p99=call.p99 - alike.median,
            count=call.count,
            p99_budget=budgets.CALL_P99_US,
            note=f"bare: p99 {quantile(bare.call_us, 0.99):.1f}",
        ),
    ]


async def _program(client: Any, seconds: float, felt: _Felt) -> None:
    calls = asyncio.create_task(_call(client, felt))
    try:
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            await asyncio.sleep(TICK_S)
            felt.late_ms.append((time.perf_counter() - begun - TICK_S) * 1000)
    finally:
        calls.cancel()


async def _call(client: Any, felt: _Felt) -> None:
    create, number = client.chat.completions.create, 0
    due = time.perf_counter()
    while True:
        for _ in range(CALLS):
            number += 1
            asked = payload.question(payload.asked(number))
            begun = time.perf_counter_ns()
            await create(**asked)
            felt.call_us.append((time.perf_counter_ns() - begun) / 1000)
        due += EVERY_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


if __name__ == "__main__":
    alone(measure, __doc__)
