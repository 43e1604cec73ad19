"""How many spans a second does the embedded store take for long, and none is dropped?

One thread ends spans of 1 kB, all different, as fast as it can while fewer than some thousands
wait; so it takes its share of the interpreter, as a program does.
"""

from __future__ import annotations

import time

from benchmarks import budgets, payload
from benchmarks.blocks import Effort
from benchmarks.figures import Figure
from benchmarks.runner import alone
from benchmarks.tracers import tracer_to

_WAITING, _GROUP = 5_000, 500


def measure(effort: Effort) -> list[Figure]:
    """Several times, each with a new store."""
    runs = max(1, effort.rounds // 10)
    found = [_run(effort.seconds) for _ in range(runs)]
    dropped = sum(lost for _, lost in found)
    return [
        Figure.of(
            "spans into the embedded store",
            "/s",
            [rate for rate, _ in found],
            budget=budgets.SUSTAINED_PER_S,
            at_least=True,
            note=f"{dropped:,} dropped",
        )
    ]


def _run(seconds: float) -> tuple[float, int]:
    with tracer_to("embedded", "") as tracer:
        with tracer.span("the file is made"):
            pass
        tracer.flush(60)
        begun, number = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            for _ in range(_GROUP):
                number += 1
                with tracer.span("work") as span:
                    span.inputs = {"question": payload.asked(number)}
                    span.outputs = payload.said(f"{number:08}")
            while tracer.stats().pending > _WAITING:
                time.sleep(0.001)
        report = tracer.flush(60)
        return report.delivered / (time.perf_counter() - begun), report.dropped


if __name__ == "__main__":
    alone(measure, __doc__)
