"""How much is it of what a call costs anyway, with all of the SDK and only the network left out?"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import orjson

from benchmarks import payload
from benchmarks.blocks import Block, Effort, awaited, compared, repeated
from benchmarks.cases.chunk import areader, reader
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import at_transport
from benchmarks.tracers import RESTS, resting
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
        pairs = {name: (bare[name], traced[name]) for name in bare}
        pairs["call, the least"] = bare["call"], _least(client)
        found = compared(pairs, effort, tracer.flush)
        usual = {name: f"bare: {bare[name]():,.0f}" for name in bare}
        usual["call, the least"] = "what any tracer must do: both as JSON, and keep it"
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


def _least(client: Any) -> Block:
    """Calls that keep what was asked and answered, and nothing else."""
    asked, create = payload.question(), client.chat.completions.create
    kept: deque[tuple[bytes, bytes]] = deque(maxlen=RESTS)

    def call() -> None:
        question = orjson.dumps(asked)
        answer = create(**asked)
        kept.append((question, answer.__pydantic_serializer__.to_json(answer)))

    return repeated(call, CALLS)


if __name__ == "__main__":
    alone(measure, __doc__)
