"""The commands that have to do with a server, against real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ollamatrace import Delivery, Tracer
from tests.cli import programs
from tests.servers.mlflow_server import PASSWORD, USER
from tests.servers.stored import is_finalized, tree


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ollamatrace", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ),
    )
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_forward_brings_what_a_killed_program_left(sqlite_server, experiment):
    sqlite_server.stop()
    try:
        programs.leave_behind(sqlite_server.url, experiment, 3)
    finally:
        sqlite_server.start()
    code, [one] = command("forward")
    assert (code, one["delivered"], one["waiting"]) == (0, 3, 0)
    traces = sqlite_server.traces(experiment, 3, until=lambda seen: all(map(is_finalized, seen)))
    assert {name for trace in traces for name, _ in tree(trace)} == {"job 0", "job 1", "job 2"}


def test_forward_brings_a_store_twice_and_it_is_there_once(sqlite_server, experiment, tmp_path):
    store = tmp_path / "traces.db"
    tracer = Tracer(f"sqlite:///{store}", experiment=experiment)
    with tracer, tracer.span("root"), tracer.span("child"):
        pass
    for _ in range(2):
        code, [one] = command("forward", "--store", str(store), "--server", sqlite_server.url)
        assert (code, one["delivered"], one["waiting"]) == (0, 2, 0)
    trace = sqlite_server.trace(experiment, until=is_finalized)
    assert tree(trace) == [("child", "root"), ("root", None)]


def levels(answer):
    return {one["check"]: one["level"] for one in answer["findings"]}


def test_doctor_finds_all_well_and_changes_nothing(mlflow_server, experiment, monkeypatch):
    monkeypatch.setenv("OLLAMATRACE_EXPERIMENT", experiment)
    delivery = Delivery(mode="throughput")
    with Tracer(mlflow_server.url, experiment=experiment, delivery=delivery) as tracer:
        with tracer.span("first"):
            pass
        assert tracer.flush(timeout=20).delivered == 1
    code, [answer] = command("doctor", "--server", mlflow_server.url)
    assert code == 0, answer
    seen = levels(answer)
    for check in ("reachable", "clock", "version", "experiment", "read", "write", "images"):
        assert seen[check] == "ok", answer
    mlflow_server.traces(experiment, 1)
    code, [answer] = command("doctor", "--server", mlflow_server.url, "--send")
    assert (code, levels(answer)["test_span"]) == (0, "ok")
    mlflow_server.traces(experiment, 2)


@pytest.mark.parametrize("password", [PASSWORD, "a wrong password", None])
def test_doctor_and_credentials(auth_server, experiment, monkeypatch, password):
    if password is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
    code, [answer] = command("doctor", "--server", auth_server.url)
    assert code == int(password != PASSWORD), answer
    if password == PASSWORD:
        assert levels(answer)["write"] == "ok"
    else:
        [wrong] = [one for one in answer["findings"] if one["level"] == "problem"]
        assert "MLFLOW_TRACKING_USERNAME" in wrong["text"]
