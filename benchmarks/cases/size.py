"""How does the cost of a call grow with what is sent?

Texts from 1 kB to 10 MB, 1 to 200 messages, and one image of 10 MB.
"""

from __future__ import annotations

import functools
from typing import Any

from benchmarks import budgets, payload
from benchmarks.blocks import Block, Effort, compared, repeated
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import resting
from ollamatrace import TracedClient

_MB = 1_000_000
_SENT: dict[str, tuple[dict[str, Any], int]] = {
    **{
        f"a text of {name}": (payload.conversation(1, size), calls)
        for name, size, calls in (
            ("1 kB", 1_000, 100),
            ("10 kB", 10_000, 100),
            ("100 kB", 100_000, 20),
            ("1 MB", _MB, 5),
            ("10 MB", 10 * _MB, 2),
        )
    },
    **{
        f"{number} messages of 200 B": (payload.conversation(number, 200), 100)
        for number in (10, 50, 200)
    },
    "an image of 10 MB": (payload.picture(10 * _MB), 2),
}
"""What is sent, and how often in a block."""


def measure(effort: Effort) -> list[Figure]:
    """Each size in turns with the bare call."""
    stub_method(payload.answer())
    [client, _] = clients()
    found = []
    for name, (asked, calls) in _SENT.items():
        with resting() as tracer:
            traced = TracedClient(client, tracer=tracer)
            pair = _block(client, asked, calls), _block(traced, asked, calls)
            flush = functools.partial(tracer.flush, 60)
            added = compared({name: pair}, effort, flush)[name]
        budget = budgets.IMAGE_US if "image" in name else None
        found.append(Figure.of(name, "µs", added, budget=budget))
    return found


def _block(client: Any, asked: dict[str, Any], calls: int) -> Block:
    create = client.chat.completions.create
    return repeated(lambda: create(**asked), calls)


if __name__ == "__main__":
    alone(measure, __doc__)
