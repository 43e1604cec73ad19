"""What tracing costs: ``python -m benchmarks.overhead [case …]``.

Each case runs in a process of its own: blocks of calls, bare and traced in turns, each round in
another order, after three rounds to warm up. Printed are the median of the differences between
neighbours, between which values four of five lie, and the budget. Python collects garbage as in
any program (``--no-gc``: not inside of the blocks); what is imported is frozen before.
``python -m benchmarks.gate`` is the quick one for CI.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.blocks import Effort
from benchmarks.cases import CASES
from benchmarks.figures import Figure, figures, machine, table
from benchmarks.runner import MLFLOW, add_options, effort
from benchmarks.surroundings import ROOT, surroundings


def main() -> int:
    """Run from the command line."""
    listed = "\n".join(f"  {name:11} {what}" for name, what in CASES.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\ncases:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", metavar="case", help="default: all")
    add_options(parser)
    given = parser.parse_args()
    if unknown := set(given.cases) - set(CASES):
        parser.error(
            f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(CASES)}"
        )
    about = machine()
    print(", ".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    results = []
    failed = False
    for name in given.cases or CASES:
        found = run(name, effort(given), given.mlflow_venv)
        failed |= found is None
        shown = found or [Figure(name, "", None, note="failed; see above")]
        print(f"\n{CASES[name]}\n{table(shown)}", flush=True)
        results += [{"case": name, **one.plain()} for one in shown]
    if given.json:
        whole: dict[str, Any] = {"machine": about, "figures": results}
        Path(given.json).write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return int(failed)


def run(case: str, effort: Effort, mlflow: str | None = None) -> list[Figure] | None:
    """Run one case in a process of its own; ``None`` if it failed, which it says on stderr."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, "figures.json")
        command = [sys.executable, "-m", f"benchmarks.cases.{case}", "--json", str(file)]
        command += ["--rounds", str(effort.rounds), "--seconds", str(effort.seconds)]
        command += [] if effort.gc else ["--no-gc"]
        more = {MLFLOW: mlflow} if mlflow else {}
        done = subprocess.run(command, cwd=ROOT, env=surroundings(home, **more), check=False)
        return None if done.returncode else figures(json.loads(file.read_text()))


if __name__ == "__main__":
    sys.exit(main())
