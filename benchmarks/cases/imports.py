"""How long does ``import ollamatrace`` take?"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks import budgets
from benchmarks.blocks import Block, Effort, compared
from benchmarks.figures import Figure
from benchmarks.runner import alone

_PROGRAMS = {
    "import ollamatrace": budgets.IMPORT_MS,
    "from ollamatrace import TracedClient": budgets.IMPORT_MS,
    "import openai": None,
}


def measure(effort: Effort) -> list[Figure]:
    """Over an interpreter that imports nothing; of the SDK, for scale."""
    pairs = {name: (_starter("pass"), _starter(name)) for name in _PROGRAMS}
    found = compared(pairs, effort)
    return [
        Figure.of(name, "ms", [added / 1000 for added in found[name]], budget=budget)
        for name, budget in _PROGRAMS.items()
    ]


def _starter(code: str) -> Block:
    def block() -> float:
        begun = time.perf_counter_ns()
        subprocess.run([sys.executable, "-c", code], check=True)
        return (time.perf_counter_ns() - begun) / 1000

    return block


if __name__ == "__main__":
    alone(measure, __doc__)
