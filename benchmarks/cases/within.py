"""What does tracing add to a call where the SDK does its work in between, which empties the caches?

Beside it the least that any tracer must do there: what was asked and answered as JSON, kept.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

from benchmarks import payload
from benchmarks.blocks import Block, Effort, compared, repeated
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import clients, stub_request
from benchmarks.tracers import RESTS, resting
from ollamatrace import TracedClient

CALLS = 50


def measure(effort: Effort) -> list[Figure]:
    """Calls of 1 kB, answered where the SDK would send its request."""
    stub_request()
    [client, _] = clients()
    bare = client.chat.completions.create
    with resting() as tracer:
        traced = TracedClient(client, tracer=tracer).chat.completions.create
        pairs = {"call": (_calls(bare), _calls(traced))}
        pairs["the least"] = pairs["call"][0], _calls(_keeping(bare))
        found = compared(pairs, effort, tracer.flush)
        usual = f"bare: {pairs['call'][0]():,.0f}"
    return [Figure.of(name, "µs", found[name], note=usual) for name in found]


def _calls(create: Callable[..., Any]) -> Block:
    numbers = itertools.count()
    return repeated(lambda: create(**payload.question(payload.asked(next(numbers)))), CALLS)


def _keeping(create: Callable[..., Any]) -> Callable[..., Any]:
    kept: deque[tuple[bytes, bytes]] = deque(maxlen=RESTS)

    def keeping(**asked: Any) -> Any:
        question = orjson.dumps(asked)
        answer = create(**asked)
        kept.append((question, answer.__pydantic_serializer__.to_json(answer)))
        return answer

    return keeping


if __name__ == "__main__":
    alone(measure, __doc__)
