"""The hot path is no longer than it was, and every benchmark runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks import gate, overhead, sink
from benchmarks.blocks import Effort
from benchmarks.cases import CASES
from benchmarks.figures import figures
from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.surroundings import ROOT, surroundings

pytestmark = pytest.mark.gate


def run(home, *arguments):
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=surroundings(home), capture_output=True, text=True, timeout=100
    )


def test_the_hot_path_is_within_its_limits(tmp_path, capsys):
    file = tmp_path / "gate.json"
    done = run(tmp_path, "benchmarks.gate", "--json", file)
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    assert set(told["ratios"]) == set(gate.LIMITS)
    assert told["floor"] > 0


@pytest.mark.parametrize("case", CASES)
def test_every_case_finds_something(case):
    found = overhead.run(case, Effort(rounds=2, seconds=0.2))
    assert found
    assert all(one.value is not None or "not run" in one.note for one in found)


def test_a_case_runs_alone_and_says_what_it_asks(tmp_path):
    file = tmp_path / "memory.json"
    assert "How much memory" in run(tmp_path, "benchmarks.cases.memory", "--help").stdout
    done = run(tmp_path, "benchmarks.cases.memory", "--rounds", 1, "--json", file)
    assert done.returncode == 0, done.stderr
    assert all(one.value > 0 for one in figures(json.loads(file.read_text())))


@pytest.mark.parametrize(
    "setup", [one.setup for one in CONTESTANTS if one.is_ours and "embedded" not in one.setup]
)
def test_every_call_of_the_comparison_arrives(tmp_path, setup):
    with sink.sink() as server:
        done = run(tmp_path, "benchmarks.peers.program", setup, server.url, 60)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        seen = server.seen()
    assert seen["calls"] == told["calls"] == 110
    assert seen["questions"]
    assert seen["answers"]
    assert len(told["traced"]["times"]) == 60
