"""What benchmarks say of what they have measured."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from benchmarks import counter, environments
from benchmarks.blocks import Effort, compared, repeated, singly
from benchmarks.cases import CASES
from benchmarks.figures import Figure, figures, number, table
from benchmarks.gate import LIMITS, Ratio, Verdict
from benchmarks.payload import CALL, answer, asked, said
from benchmarks.peers import exporting, outcome
from benchmarks.peers.__main__ import main as compare
from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.peers.outcome import Outcome
from benchmarks.peers.picture import picture
from benchmarks.samples import Samples
from benchmarks.sink import seen_in
from benchmarks.surroundings import ROOT, surroundings

PROGRAMS = ["overhead", "gate", "peers", "conformance_peers", "soak", "cases.call"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_help(program):
    command = [sys.executable, "-m", f"benchmarks.{program}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_every_case_has_a_module_and_every_module_is_a_case():
    modules = {file.stem for file in (ROOT / "benchmarks" / "cases").glob("[a-z]*.py")}
    assert modules == set(CASES)


def test_samples():
    samples = Samples.of(range(1, 1001))
    assert (samples.median, samples.low, samples.high) == (500.5, 101, 901)
    assert (samples.p99, samples.count) == (991, 1000)


def test_blocks_take_turns_and_their_differences_are_told():
    order = []

    def block(name, taken):
        def run():
            order.append(name)
            return taken

        return run

    pairs = {"first": (block("a", 1.0), block("b", 3.0)), "second": (block("c", 1.0),) * 2}
    found = compared(pairs, Effort(rounds=4))
    assert found == {"first": [2.0] * 4, "second": [0.0] * 4}
    assert order[:8] == ["a", "b", "c", "c", "b", "c", "c", "a"]


def test_a_block_tells_what_one_part_takes_in_thousands():
    ticks = iter((0, 12_000))
    assert repeated(lambda: None, 3, lambda: next(ticks), parts=2)() == 2.0
    assert len(singly(lambda: None, 7)) == 7


@pytest.mark.parametrize(
    ("figure", "within", "word"),
    [
        (Figure("x", "µs", 4.0, budget=5), True, "yes"),
        (Figure("x", "µs", 6.0, budget=5), False, "NO"),
        (Figure("x", "µs", 4.0, p99=30, budget=5, p99_budget=25), False, "NO"),
        (Figure("x", "/s", 6.0, budget=5, at_least=True), True, "≥ 5.00"),
        (Figure("x", "/s", 4.0, budget=5, at_least=True), False, "NO"),
        (Figure("x", "µs", 4.0), None, "4.00 µs"),
        (Figure("x", "µs", None, budget=5, note="not run"), None, "x: not run"),
    ],
)
def test_a_figure_beside_its_budget(figure, within, word):
    assert figure.is_within is within
    assert word in table([figure])
    assert figures([figure.plain()]) == [figure]


def test_numbers_have_as_many_digits_as_mean_something():
    assert [number(one) for one in (0.1234, 1.234, 12.34, 1234.5)] == [
        "0.123",
        "1.23",
        "12.3",
        "1,234",
    ]


def test_the_gate_is_shut_by_one_that_takes_too_much():
    fine = [Ratio(name, limit) for name, (limit, _) in LIMITS.items()]
    assert Verdict(0.003, "ns", fine).passes
    worse = Verdict(0.003, "ns", [*fine[1:], Ratio("call", LIMITS["call"][0] * 1.01)])
    assert not worse.passes
    assert str(worse).count("NO") == 1
    assert "floor: 3 ns" in str(worse)
    assert "2.00 |" in str(worse)  # the goal of a call


def test_an_event_that_is_not_there_is_no_clock():
    with pytest.raises(OSError, match=r"perf_event_open|counted"):
        counter.opened(12345, 0)


def test_calls_are_known_by_what_is_said():
    body = f"{asked(7)} {answer(said('00000007'))}"
    assert CALL.findall(body) == ["00000007", "00000007"]
    packed = gzip.compress((body + asked(8)).encode())
    assert seen_in([("gzip", packed), ("", asked(8).encode())]) == {
        "calls": 2,
        "requests": 2,
        "bytes": len(packed) + len(asked(8)),
        "questions": True,
        "answers": True,
    }
    assert not seen_in([("", b"(call-00000001)")])["answers"]


def test_a_program_gets_no_settings(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    given = surroundings("/home/of/it")
    assert not [name for name in given if name.startswith(("OTEL_", "OLLAMA"))]
    assert given["XDG_DATA_HOME"] == given["HOME"] == "/home/of/it"


def test_every_contestant_can_be_installed_and_set_up():
    assert {one.environment for one in CONTESTANTS} == set(environments.PACKAGES)
    assert all(callable(getattr(exporting, one.setup)) for one in CONTESTANTS)


@pytest.fixture
def outcomes():
    good = Outcome("ollamatrace, embedded", {"ollamatrace": "1.0"})
    for added in (5.0, 7.0, 6.0):
        good.add(
            {
                "bare": {"times": [10.0] * 98 + [13.0] * 2, "cpu": 100.0},
                "traced": {"times": [10.0 + added] * 98 + [50.0] * 2, "cpu": 160.0},
                "calls": 100,
            },
            {"calls": 99, "questions": True, "answers": False},
        )
    return [good, Outcome("Other & Sons", failure="it <cannot> be installed")]


def test_an_outcome_sums_its_rounds_up(outcomes):
    good = outcomes[0]
    assert (good.call, good.cpu, good.p99_us) == (6.0, 60.0, [40.0] * 3)
    assert (good.calls, good.arrived) == (300, 297)
    lines = [line.replace(" ", "") for line in outcome.table(outcomes).splitlines()]
    assert lines[2] == "|notracer||3.00|||||"
    assert lines[3] == "|ollamatrace,embedded|6.00|40.0|60.0|297|3|inpart|"


def test_who_fails_is_in_the_table_and_in_the_picture(outcomes):
    assert "Other & Sons: it <cannot> be installed" in outcome.table(outcomes)
    drawn = ET.fromstring(picture(outcomes, "today"))  # noqa: S314  our own
    texts = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("failed") == 2
    assert {"Other & Sons", "6.00", "60.0", "today"} <= set(texts)


def test_what_cannot_be_installed_says_so(monkeypatch, tmp_path, capsys):
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho there is no such package >&2\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    command = ["peers", "--envs", str(tmp_path), "--only", "opik", "--calls", "1", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", command)
    assert compare() == 0
    told = capsys.readouterr().out
    assert "failed" in told
    assert "Opik: there is no such package" in told
