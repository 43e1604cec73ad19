"""What the judge says of a framework."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.frameworks.environments import run
from tests.frameworks.table import Framework


@dataclass(frozen=True)
class Verdict:
    """Of one scenario."""

    scenario: str
    calls: int
    wrong: list[str]


def verdicts(framework: Framework) -> list[Verdict]:
    """Judge all scenarios of `framework`, in its environment.

    Raises:
        RuntimeError: they could not be run to their end.
    """
    other = ("other",) if framework.kept_in else ()
    done = run(framework, "tests.frameworks.judge", framework.name, *other)
    if done.returncode:
        raise RuntimeError(f"{framework.title}: {done.stderr}")
    return [Verdict(**json.loads(line)) for line in done.stdout.splitlines()]
