"""What became of one contestant: what it added, what arrived, or why it is not known."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import markdown, number
from benchmarks.samples import Samples


@dataclass(slots=True)
class Outcome:
    """All runs of a contestant.

    Attributes:
        name: Its name.
        versions: Of its packages.
        call_us: What it added to a call on the caller's thread, a median for each run.
        p99_us: What one call in a hundred took above the usual bare one.
        bare_p99_us: The same without a tracer: what the machine does to a call.
        cpu_us: What processor time it added, of all threads, for each call.
        calls: How many calls were traced.
        arrived: Of how many of them the server has heard.
        questions: Whether what was asked arrived, too.
        answers: Whether what was answered did.
        failure: Why it could not be measured.
    """

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    call_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    bare_p99_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    calls: int = 0
    arrived: int = 0
    questions: bool = True
    answers: bool = True
    failure: str = ""

    def add(self, told: dict[str, Any], seen: dict[str, Any]) -> None:
        """Take what the program told, and what the server has seen."""
        without, traced = told["bare"], told["traced"]
        usual, added = Samples.of(without["times"]), Samples.of(traced["times"])
        self.call_us.append(added.median - usual.median)
        self.p99_us.append(added.p99 - usual.median)
        self.bare_p99_us.append(usual.p99 - usual.median)
        self.cpu_us.append(traced["cpu"] - without["cpu"])
        self.calls += told["calls"]
        self.arrived += seen["calls"]
        self.questions &= seen["questions"]
        self.answers &= seen["answers"]

    @property
    def call(self) -> float | None:
        """The median of what it adds to a call, in µs."""
        return statistics.median(self.call_us) if self.call_us else None

    @property
    def cpu(self) -> float | None:
        """The median of what processor time it adds, in µs."""
        return statistics.median(self.cpu_us) if self.cpu_us else None

    def plain(self) -> dict[str, Any]:
        """It as JSON has it."""
        return dataclasses.asdict(self)


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a contestant, and the versions below."""
    rows = [
        ["", "added µs", "p99", "CPU µs", "arrived", "lost", "content"],
        *_bare(outcomes),
        *map(_row, outcomes),
    ]
    failed = [f"- {one.name}: {one.failure}" for one in outcomes if one.failure]
    told = {
        ", ".join(f"{package} {at}" for package, at in one.versions.items()): None
        for one in outcomes
        if one.versions
    }
    return "\n".join([markdown(rows), "", *failed, *(f"- {versions}" for versions in told)])


def _bare(outcomes: Sequence[Outcome]) -> list[list[str]]:
    p99 = [value for one in outcomes for value in one.bare_p99_us]
    return [["no tracer", "", number(statistics.median(p99)), "", "", "", ""]] if p99 else []


def _row(one: Outcome) -> list[str]:
    if one.call is None or one.cpu is None:
        return [one.name, "failed", "", "", "", "", ""]
    return [
        one.name,
        number(one.call),
        number(statistics.median(one.p99_us)),
        number(one.cpu),
        f"{one.arrived:,}",
        f"{one.calls - one.arrived:,}",
        {(True, True): "yes", (False, False): "no"}.get((one.questions, one.answers), "in part"),
    ]
