"""How much is it of what a call costs anyway, with all of the SDK and only the network left out?"""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks import payload
from benchmarks.blocks import Block, Effort, awaited, compared, repeated
from benchmarks.cases.chunk import areader, reader
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import at_transport
from benchmarks.tracers import resting
from ollamatrace import TracedClient

CALLS, CHUNKS = 20, 100


def measure(effort: Effort) -> list[Figure]:
    """Calls and streams, sync and async."""
    with resting() as tracer, asyncio.Runner() as runner:
        client, aclient = at_transport(payload.answer(), CHUNKS)
        bare = _blocks(client, aclient, runner)
        traced = _blocks(
            TracedClient(client, tracer=tracer), TracedClient(aclient, tracer=tracer), runner
        )
        found = compared({name: (bare[name], traced[name]) for name in bare}, effort, tracer.flush)
        usual = {name: f"bare: {bare[name]():,.0f}" for name in bare}
    return [Figure.of(name, "µs", found[name], note=usual[name]) for name in found]


def _blocks(client: Any, aclient: Any, runner: asyncio.Runner) -> dict[str, Block]:
    asked = payload.question()
    create, acreate = client.chat.completions.create, aclient.chat.completions.create
    return {
        "call": repeated(lambda: create(**asked), CALLS),
        "async call": awaited(lambda: acreate(**asked), CALLS, runner),
        f"stream of {CHUNKS} chunks": repeated(reader(client), 1),
        f"async stream of {CHUNKS} chunks": awaited(areader(aclient), 1, runner),
    }


if __name__ == "__main__":
    alone(measure, __doc__)
