"""One case from the command line, and what it found as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.blocks import Effort
from benchmarks.figures import Figure, table
from benchmarks.surroundings import surroundings

Measure = Callable[[Effort], list[Figure]]
MLFLOW: Final = "OT_MLFLOW_VENV"
"""Names the environment in which MLflow is installed."""


def alone(measure: Measure, question: str | None) -> None:
    """Run one case in this process, in a folder of its own and without settings.

    Args:
        measure: The case.
        question: What it asks.
    """
    parser = argparse.ArgumentParser(
        description=question, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        clean = surroundings(home, **({MLFLOW: given.mlflow_venv} if given.mlflow_venv else {}))
        os.environ.clear()
        os.environ.update(clean)
        found = measure(effort(given))
    if given.json:
        Path(given.json).write_text(json.dumps([one.plain() for one in found], indent=1) + "\n")
    else:
        print(table(found))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Have the options that all runners have."""
    parser.add_argument("--quick", action="store_true", help="only to see that it works")
    parser.add_argument("--rounds", type=int, help="blocks of each way")
    parser.add_argument("--seconds", type=float, help="how long what runs for a while does so")
    parser.add_argument("--no-gc", action="store_true", help="collect no garbage inside of blocks")
    parser.add_argument(
        "--mlflow-venv",
        metavar="FOLDER",
        default=os.environ.get(MLFLOW),
        help=f"an environment with MLflow, for what needs its server (default: ${MLFLOW})",
    )
    parser.add_argument("--json", metavar="FILE", help="write JSON there, instead of a table")


def effort(given: argparse.Namespace) -> Effort:
    """How much is measured, as the command line says."""
    usual = Effort.quick() if given.quick else Effort()
    return Effort(
        usual.rounds if given.rounds is None else given.rounds,
        usual.seconds if given.seconds is None else given.seconds,
        not given.no_gc,
    )
