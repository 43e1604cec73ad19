"""How calls end with other tracing SDKs: ``python -m benchmarks.conformance_peers``.

Makes a virtual environment for each SDK below ``.peers/``, or takes the one that is there, runs
the same judge in it that judges ollamatrace, and prints one Markdown table. ``--json FILE``
keeps every cell, with what was seen where something is wrong. ``--only NAME`` takes a part.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
HOME: Final = ROOT / ".peers"
_CLIENT_PACKAGES: Final = ("openai", "ollama", "anyio", "trio")


@dataclass(frozen=True)
class Peer:
    """A tracing SDK and how it is judged."""

    name: str
    folder: str
    wrapper: str
    packages: tuple[str, ...]
    """What is installed; the first one's version is told."""


PEERS: Final = (
    Peer("ollamatrace", "ollamatrace", "tests.conformance.ours:Ollamatrace", (str(ROOT),)),
    Peer(
        "OpenInference",
        "openinference",
        "benchmarks.peers.openinference:OpenInference",
        (
            "openinference-instrumentation-openai",
            "openinference-instrumentation-ollama",
            "opentelemetry-sdk",
        ),
    ),
    Peer("Langfuse", "langfuse", "benchmarks.peers.langfuse:Langfuse", ("langfuse",)),
    Peer("MLflow autolog", "mlflow", "benchmarks.peers.mlflow:MLflow", ("mlflow",)),
)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every cell there")
    parser.add_argument("--only", action="append", choices=[peer.folder for peer in PEERS])
    given = parser.parse_args()
    peers = [peer for peer in PEERS if not given.only or peer.folder in given.only]
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    with ThreadPoolExecutor(len(peers)) as pool:
        pythons = dict(zip(peers, pool.map(_environment, peers), strict=True))
    results = {}
    for peer, python in pythons.items():  # one after the other: rows have limits in time
        _say(f"{peer.name}: judging")
        results[peer.name] = {
            "packages": _versions(python, peer),
            "cells": _judge(python, peer),
        }
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(markdown(results))
    return 0


def _environment(peer: Peer) -> Path:
    folder = HOME / peer.folder
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        _say(f"{peer.name}: installing")
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, *peer.packages, *_CLIENT_PACKAGES], check=True)
        complete.touch()
    return python


def _versions(python: Path, peer: Peer) -> dict[str, str]:
    names = [Path(name).name if name == str(ROOT) else name for name in peer.packages]
    names = ["ollamatrace" if peer.folder == "ollamatrace" else name for name in names]
    code = (
        "import importlib.metadata as m, json, sys;"
        "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [python, "-c", code, *names, "openai", "ollama"], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def _judge(python: Path, peer: Peer) -> list[dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not _changes(name)}
    process = subprocess.Popen(
        [python, "-m", "tests.conformance.judge", peer.wrapper, "--json"],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    cells = [json.loads(line) for line in process.stdout or ()]
    if process.wait() not in {0, 1} or not cells:
        raise SystemExit(f"{peer.name}: could not be judged")
    return cells


def _changes(name: str) -> bool:
    """Whether a variable of the environment would make it another measurement."""
    return name.startswith(("OTEL_", "MLFLOW_", "LANGFUSE_", "OPENAI_", "OLLAMA", "PYTHON"))


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
