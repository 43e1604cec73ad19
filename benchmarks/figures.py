"""What a case has found: figures beside their budgets, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gc
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.samples import Samples

_FEW = 10.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        unit: Its unit.
        value: The median; ``None`` if it was not measured, and `note` says why.
        low: A tenth of the measurements are below.
        high: A tenth are above.
        p99: One call in a hundred is above, where single calls were timed.
        count: How many measurements there are.
        budget: What it may be; with `at_least`, what it must be.
        p99_budget: What the p99 may be.
        at_least: More is better.
        note: What else there is to know.
    """

    name: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p99: float | None = None
    count: int = 1
    budget: float | None = None
    p99_budget: float | None = None
    at_least: bool = False
    note: str = ""

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float], **more: Any) -> Self:
        """Sum up repeated measurements."""
        samples = Samples.of(values)
        return cls(
            name, unit, samples.median, samples.low, samples.high, count=samples.count, **more
        )

    @property
    def is_within(self) -> bool | None:
        """Whether budgets are kept; ``None`` if there is none, or nothing to compare with it."""
        kept = [
            (value >= budget) if self.at_least else (value <= budget)
            for value, budget in ((self.value, self.budget), (self.p99, self.p99_budget))
            if value is not None and budget is not None
        ]
        return all(kept) if kept else None

    def plain(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {**dataclasses.asdict(self), "within": self.is_within}


def figures(plain: Iterable[dict[str, Any]]) -> list[Figure]:
    """Read what `Figure.plain` gave."""
    known = {field.name for field in dataclasses.fields(Figure)}
    return [Figure(**{key: one[key] for key in one if key in known}) for one in plain]


def table(found: Sequence[Figure]) -> str:
    """Draw figures as a table in Markdown."""
    return markdown([["", "median", "10 % … 90 %", "p99", "budget", "kept"], *map(_row, found)])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are aligned: the first to the left, the others to the right.

    Args:
        rows: The head, and then the lines.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    under = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        for row in (rows[0], under, *rows[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(one: Figure) -> list[str]:
    if one.value is None:
        return [f"{one.name}: {one.note}", "–", "", "", "", ""]
    spread = (
        "" if one.low is None or one.high is None else f"{number(one.low)} … {number(one.high)}"
    )
    sign = "≥ " if one.at_least else ""
    budgets = [
        f"{sign}{number(budget)}" for budget in (one.budget, one.p99_budget) if budget is not None
    ]
    return [
        f"{one.name} ({one.note})" if one.note else one.name,
        f"{number(one.value)} {one.unit}",
        spread,
        "" if one.p99 is None else number(one.p99),
        ", p99 ".join(budgets),
        {True: "yes", False: "NO", None: ""}[one.is_within],
    ]


def number(value: float) -> str:
    """Write a number with as many digits as mean something."""
    size = abs(value)
    if size >= 1000:  # noqa: PLR2004
        return f"{value:,.0f}"
    if size >= _FEW:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: _version(name) for name in ("openai", "orjson", "pydantic-core")},
        "load": os.getloadavg()[0],
        "gc": gc.isenabled(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
