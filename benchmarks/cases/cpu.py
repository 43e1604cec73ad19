"""How much processor does a traced call take in all, its threads included?

Calls of 1 kB come in groups of 128, which is what one batch then has; the program waits until
they have arrived. Where they go is another process, or a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks import budgets, payload
from benchmarks.blocks import Effort, compared
from benchmarks.cases.chunk import CHUNKS, reader
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.sink import sink
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import MODES, Mode, tracer_to
from ollamatrace import TracedClient, Tracer

GROUP, GROUPS, STREAMS = 128, 4, 8
_BUDGETS: dict[Mode, float] = {
    "embedded": budgets.CPU_US,
    "OTLP": budgets.CPU_US,
    "MLflow throughput": budgets.CPU_US,
    "MLflow info": budgets.CPU_US + budgets.REQUEST_US,
}


def measure(effort: Effort) -> list[Figure]:
    """Calls and streams, for each kind of destination."""
    stub_method(payload.answer(payload.text(450)), CHUNKS)
    [client, _] = clients()
    found = []
    with sink() as server:
        for mode in MODES:
            with tracer_to(mode, server.url) as tracer:
                traced = TracedClient(client, tracer=tracer)
                added = _added(_calls(client), _calls(traced), GROUP * GROUPS, tracer, effort)
                streamed = _added(_streams(client), _streams(traced), STREAMS, tracer, effort)
            name = f"CPU of a call, {mode}"
            found.append(Figure.of(name, "µs", added, budget=_BUDGETS[mode]))
            found.append(Figure.of(f"CPU of a stream of {CHUNKS} chunks, {mode}", "µs", streamed))
    return found


def _added(
    bare: Callable[[Tracer | None], None],
    traced: Callable[[Tracer | None], None],
    calls: int,
    tracer: Tracer,
    effort: Effort,
) -> list[float]:
    def block(run: Callable[[Tracer | None], None], flushed: Tracer | None) -> float:
        begun = time.process_time_ns()
        run(flushed)
        return (time.process_time_ns() - begun) / calls / 1000

    rounds = Effort(max(3, effort.rounds // 4), effort.seconds, effort.gc)
    pair = lambda: block(bare, None), lambda: block(traced, tracer)
    return compared({"": pair}, rounds)[""]


def _calls(client: Any) -> Callable[[Tracer | None], None]:
    create, asked = client.chat.completions.create, payload.question(payload.asked(1))

    def run(tracer: Tracer | None) -> None:
        for _ in range(GROUPS):
            for _ in range(GROUP):
                create(**asked)
            if tracer is not None:
                tracer.flush(60)

    return run


def _streams(client: Any) -> Callable[[Tracer | None], None]:
    """Reads some streams."""
    read = reader(client)

    def run(tracer: Tracer | None) -> None:
        for _ in range(STREAMS):
            read()
        if tracer is not None:
            tracer.flush(60)

    return run


if __name__ == "__main__":
    alone(measure, __doc__)
