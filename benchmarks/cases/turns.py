"""What does a conversation of 50 turns cost, whose every call sends all that was said before?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import payload
from benchmarks.blocks import Block, Effort, compared, repeated
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import resting
from ollamatrace import TracedClient, Tracer

TURNS, SIZE = 50, 400


def measure(effort: Effort) -> list[Figure]:
    """On the caller's thread, for each call of the whole; and in the file of the store."""
    stub_method(payload.answer(payload.text(SIZE)))
    [client, _] = clients()
    with resting() as tracer:
        traced = TracedClient(client, tracer=tracer)
        found = compared({"talk": (_talk(client), _talk(traced))}, effort, tracer.flush)
    return [Figure.of(f"each call of {TURNS} turns", "µs", found["talk"]), _stored(client)]


def _talk(client: Any) -> Block:
    create, whole = client.chat.completions.create, payload.conversation(2 * TURNS, SIZE)
    said = whole.pop("messages")

    def talk() -> None:
        for turn in range(TURNS):
            create(**whole, messages=said[: 2 * turn + 1])

    return repeated(talk, 1, parts=TURNS)


def _stored(client: Any) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "traces.db")
        with Tracer(f"sqlite:///{file}") as tracer:
            tracer.flush()
            _talk(TracedClient(client, tracer=tracer))()
        size = file.stat().st_size
    said = 2 * TURNS * SIZE
    sent = sum((2 * turn + 1) * SIZE for turn in range(TURNS))
    note = f"kB said: {said / 1000:.0f}, sent: {sent / 1000:.0f}"
    return Figure("the whole in the embedded store", "kB", size / 1000, note=note)


if __name__ == "__main__":
    alone(measure, __doc__)
