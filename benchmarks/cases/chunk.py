"""What does tracing add to each chunk of a stream, on the thread that reads it?

The call itself is spread over its chunks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from benchmarks import budgets, payload
from benchmarks.blocks import Clock, Effort, Pairs, awaited, compared, repeated
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import resting
from ollamatrace import TracedClient, Tracer

CHUNKS = 500


def measure(effort: Effort) -> list[Figure]:
    """Sync and async."""
    stub_method(payload.answer(), CHUNKS)
    with resting() as tracer, asyncio.Runner() as runner:
        found = compared(pairs(tracer, runner), effort, tracer.flush)
    return [
        Figure.of("chunk", "µs", found["chunk"], budget=budgets.CHUNK_US),
        Figure.of("async chunk", "µs", found["async chunk"], budget=budgets.ASYNC_CHUNK_US),
    ]


def pairs(tracer: Tracer, runner: asyncio.Runner, clock: Clock = time.perf_counter_ns) -> Pairs:
    """Blocks of one stream each, with `CHUNKS` chunks."""
    client, aclient = clients()
    traced, atraced = (TracedClient(one, tracer=tracer) for one in (client, aclient))
    return {
        "chunk": (
            repeated(reader(client), 1, clock, CHUNKS),
            repeated(reader(traced), 1, clock, CHUNKS),
        ),
        "async chunk": (
            awaited(areader(aclient), 1, runner, clock, CHUNKS),
            awaited(areader(atraced), 1, runner, clock, CHUNKS),
        ),
    }


def reader(client: Any) -> Callable[[], None]:
    """Makes a streamed call and reads it to its end."""
    create, asked = client.chat.completions.create, payload.question()

    def read() -> None:
        for _ in create(**asked, stream=True):
            pass

    return read


def areader(client: Any) -> Callable[[], Any]:
    """The same with a client that is awaited."""
    create, asked = client.chat.completions.create, payload.question()

    async def read() -> None:
        async for _ in await create(**asked, stream=True):
            pass

    return read


if __name__ == "__main__":
    alone(measure, __doc__)
