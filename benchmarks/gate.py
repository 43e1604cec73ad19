"""Whether the hot path is as short as it was: ``python -m benchmarks.gate``, for CI.

What is added to a call is told as a multiple of the floor, which is measured in the same run: what
any tracer must do that keeps what was asked and answered. Of each way the cheapest of many short
blocks counts, in the time of the thread alone: what else the machine does is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from openai.types.chat import ChatCompletion

from benchmarks import payload
from benchmarks.blocks import Block, Clock, Effort, Pairs, interleaved, repeated
from benchmarks.cases import call, chunk, disabled, span
from benchmarks.counter import instructions
from benchmarks.figures import markdown, number
from benchmarks.stub import stub_method
from benchmarks.tracers import resting

LIMITS: Final[dict[str, tuple[float, float]]] = {
    "call": (5.0, 2.0),
    "async call": (5.0, 2.0),
    "chunk": (0.18, 0.12),
    "async chunk": (0.22, 0.2),
    "span": (1.85, 0.8),
    "traced function": (4.0, 2.0),
    "call, switched off": (0.17, 0.2),
    "async call, switched off": (0.35, 0.2),
    "span, switched off": (0.24, 0.2),
    "traced function, switched off": (0.1, 0.2),
}
"""How many times the floor is let through, and the goal: twice for a call, and what else has a
budget as that is to a call's.

The first is the most that was measured when this was last changed and a quarter more. It is to be
brought down with every change that makes something cheaper, until it is the goal.
"""
_ROUNDS, _FLOORS = 25, 500


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the gate.

    Attributes:
        name: What was measured.
        value: What it takes, as a multiple of the floor.
    """

    name: str
    value: float

    @property
    def limit(self) -> float:
        """What is let through."""
        return LIMITS[self.name][0]

    @property
    def goal(self) -> float:
        """What it is to be in the end."""
        return LIMITS[self.name][1]

    @property
    def passes(self) -> bool:
        """Whether it is let through."""
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says.

    Attributes:
        floor: What the floor takes, in thousands of `unit`.
        unit: What was counted.
        ratios: All lines.
    """

    floor: float
    unit: str
    ratios: list[Ratio]

    @property
    def passes(self) -> bool:
        """Whether all are let through."""
        return all(one.passes for one in self.ratios)

    def __str__(self) -> str:
        rows = [
            ["multiples of the floor", "now", "limit", "goal", "passes"],
            *(
                [
                    one.name,
                    number(one.value),
                    number(one.limit),
                    number(one.goal),
                    "yes" if one.passes else "NO",
                ]
                for one in self.ratios
            ),
        ]
        return f"{markdown(rows)}\nfloor: {self.floor * 1000:,.0f} {self.unit}"


def judge(clock: Clock, unit: str) -> Verdict:
    """Measure it all, in some seconds. The SDK of this process has no server from then on.

    Args:
        clock: What counts.
        unit: What it counts.
    """
    stub_method(payload.answer(), chunk.CHUNKS)
    with resting() as tracer, resting() as other, asyncio.Runner() as runner:
        pairs: Pairs = {
            **call.pairs(tracer, runner, clock),
            **chunk.pairs(tracer, runner, clock),
            **span.pairs(tracer, clock),
            **disabled.pairs(other, runner, clock),
        }
        ways: dict[Any, Block] = {(name, way): pairs[name][way] for name in pairs for way in (0, 1)}
        ways["floor"] = floor(clock)
        found = interleaved(ways, Effort(rounds=_ROUNDS), tracer.flush)
    least = {name: min(values) for name, values in found.items()}
    return Verdict(
        least["floor"],
        unit,
        [Ratio(name, max(0.0, least[name, 1] - least[name, 0]) / least["floor"]) for name in pairs],
    )


class _Kept:
    __slots__ = ("answer", "inputs", "name", "start")

    def __init__(self, inputs: bytes, answer: bytes) -> None:
        self.name = "Completions"
        self.start = 0
        self.inputs = inputs
        self.answer = answer


def floor(clock: Clock) -> Block:
    """What must be done for each call: arguments and answer as JSON, one object, one append."""
    asked = payload.question()
    answered = ChatCompletion.model_validate(payload.answer())
    written = type(answered).__pydantic_serializer__.to_json
    kept: deque[_Kept] = deque(maxlen=_FLOORS)

    def step() -> None:
        kept.append(_Kept(orjson.dumps(asked), written(answered)))

    return repeated(step, _FLOORS, clock)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count these instead of time, where the processor lets us, to compare two versions; "
        "the limits are those of time",
    )
    given = parser.parse_args()
    clock, unit = time.thread_time_ns, "ns"
    if given.instructions:
        try:
            clock, unit = instructions(), "instructions"
        except OSError as error:
            parser.error(f"instructions cannot be counted here: {error}")
    verdict = judge(clock, unit)
    print(verdict)
    if given.json:
        plain = {one.name: one.value for one in verdict.ratios}
        whole = {"floor": verdict.floor * 1000, "unit": verdict.unit, "ratios": plain}
        given.json.write_text(json.dumps(whole, indent=1) + "\n")
    return 0 if verdict.passes else 1


if __name__ == "__main__":
    sys.exit(main())
