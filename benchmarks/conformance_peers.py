"""How calls end with other tracing SDKs: ``python -m benchmarks.conformance_peers``.

Makes a virtual environment for each SDK, or takes the one that is there, runs the same judge in it
that judges ollamatrace, and prints one Markdown table. ``--json FILE``
keeps every cell, with what was seen where something is wrong. ``--only NAME`` takes a part.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import HOME, environment, versions
from benchmarks.surroundings import ROOT, surroundings


@dataclass(frozen=True)
class Peer:
    """A tracing SDK and how it is judged."""

    name: str
    environment: str
    """Where it is installed; see `benchmarks.environments`."""
    wrapper: str


PEERS: Final = (
    Peer("ollamatrace", "ollamatrace", "tests.conformance.ours:Ollamatrace"),
    Peer("OpenInference", "openinference", "benchmarks.peers.openinference:OpenInference"),
    Peer("Langfuse", "langfuse", "benchmarks.peers.langfuse:Langfuse"),
    Peer("MLflow autolog", "mlflow", "benchmarks.peers.mlflow:MLflow"),
)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every cell there")
    parser.add_argument("--envs", type=Path, default=HOME, help="where environments are kept")
    parser.add_argument("--only", action="append", choices=[peer.environment for peer in PEERS])
    given = parser.parse_args()
    peers = [peer for peer in PEERS if not given.only or peer.environment in given.only]
    with ThreadPoolExecutor(len(peers)) as pool:
        made = pool.map(lambda peer: environment(peer.environment, given.envs.absolute()), peers)
        pythons = dict(zip(peers, made, strict=True))
    results = {}
    for peer, python in pythons.items():  # one after the other: rows have limits in time
        _say(f"{peer.name}: judging")
        results[peer.name] = {
            "packages": versions(python, peer.environment),
            "cells": _judge(python, peer),
        }
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(markdown(results))
    return 0


def _judge(python: Path, peer: Peer) -> list[dict[str, Any]]:
    process = subprocess.Popen(
        [python, "-m", "tests.conformance.judge", peer.wrapper, "--json"],
        cwd=ROOT,
        env=surroundings(),
        stdout=subprocess.PIPE,
        text=True,
    )
    cells = [json.loads(line) for line in process.stdout or ()]
    if process.wait() not in {0, 1} or not cells:
        raise SystemExit(f"{peer.name}: could not be judged")
    return cells


def markdown(results: dict[str, Any]) -> str:
    """One row an exit, one column an SDK; a cell counts the clients for which all is well."""
    rows: dict[str, None] = {}
    table: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, result in results.items():
        for cell in result["cells"]:
            rows[cell["row"]] = None
            table.setdefault((cell["row"], name), []).append(cell)
    lines = [
        ["exit", *results],
        ["---"] * (1 + len(results)),
        *([row, *(_summary(table.get((row, name), [])) for name in results)] for row in rows),
        [
            "**cells in which all is well**",
            *(f"**{_total(result['cells'])}**" for result in results.values()),
        ],
    ]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    versions = "\n".join(
        f"- {name}: {', '.join(f'{package} {at}' for package, at in result['packages'].items())}"
        for name, result in results.items()
    )
    return f"{drawn}\n\n{versions}"


def _summary(cells: list[dict[str, Any]]) -> str:
    judged = [cell for cell in cells if cell["absent"] is None]
    if not judged:
        return "–"
    well = sum(not cell["failures"] for cell in judged)
    wrong = Counter(failure for cell in judged for failure in cell["failures"])
    reasons = f": {', '.join(wrong)}" if wrong else ""
    return f"{well}/{len(judged)}{reasons}"


def _total(cells: list[dict[str, Any]]) -> str:
    judged = [cell for cell in cells if cell["absent"] is None]
    return f"{sum(not cell['failures'] for cell in judged)}/{len(judged)}"


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
