"""How long does the first call of a program take, and the wrapping of its client?"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from benchmarks.blocks import Effort
from benchmarks.figures import Figure
from benchmarks.runner import alone

_PROGRAM = """
import sys, time
from benchmarks import payload
from benchmarks.stub import clients, stub_method
stub_method(payload.answer())
[client, _] = clients()
client.chat.completions
if sys.argv[1] == "traced":
    begun = time.perf_counter_ns()
    from ollamatrace import TracedClient
    client = TracedClient(client, server="sqlite:///" + sys.argv[2])
    wrapped = time.perf_counter_ns() - begun
else:
    wrapped = 0
begun = time.perf_counter_ns()
client.chat.completions.create(**payload.question())
print(wrapped / 1e6, (time.perf_counter_ns() - begun) / 1e6)
"""


def measure(effort: Effort) -> list[Figure]:
    """In new processes, which have imported the SDK and not ollamatrace."""
    wrapped, called = [], []
    for _ in range(max(3, effort.rounds // 4)):
        with tempfile.TemporaryDirectory() as folder:
            _, bare = _run("bare", folder)
            wrap, call = _run("traced", folder)
        wrapped.append(wrap)
        called.append(call - bare)
    return [
        Figure.of("first import and wrapping", "ms", wrapped),
        Figure.of("first call", "ms", called),
    ]


def _run(way: str, folder: str) -> tuple[float, float]:
    command = [sys.executable, "-c", _PROGRAM, way, f"{folder}/traces.db"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wrapped, called = map(float, done.stdout.split())
    return wrapped, called


if __name__ == "__main__":
    alone(measure, __doc__)
