"""A server that asks who one is."""

from __future__ import annotations

import base64

import httpx
import pytest

from ollamatrace import Tracer
from tests.servers import programs
from tests.servers.mlflow_server import PASSWORD, USER
from tests.servers.processes import poll
from tests.servers.stored import is_finalized, state, tree

WRONG = "a wrong password"


def log_in(monkeypatch, user, password):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def work(tracer):
    with tracer.span("root"), tracer.span("child"):
        pass


def check(trace):
    assert state(trace) == "OK"
    assert tree(trace) == [("child", "root"), ("root", None)]


def test_with_the_right_credentials(auth_server, experiment, monkeypatch):
    log_in(monkeypatch, USER, PASSWORD)
    with Tracer(auth_server.url, experiment=experiment) as tracer:
        work(tracer)
        report = tracer.flush(timeout=20)
    assert report.delivered == 2, report
    assert PASSWORD not in repr(report)
    check(auth_server.trace(experiment, until=is_finalized))


def refused(tracer, told):
    work(tracer)
    poll(lambda: told, what="nobody is told that the server refuses")
    report = tracer.flush(timeout=1)
    assert (report.accepted, report.delivered, report.dropped) == (2, 0, 0), report
    assert report.pending + report.spooled == 2


@pytest.mark.parametrize("password", [WRONG, None])
def test_a_refusal_is_told_once(password, auth_server, experiment, monkeypatch):
    if password is not None:
        log_in(monkeypatch, USER, password)
    told = []
    with Tracer(auth_server.url, experiment=experiment, on_warning=told.append) as tracer:
        refused(tracer, told)
        work(tracer)
        assert tracer.flush(timeout=1).delivered == 0
    [text] = told
    assert "MLFLOW_TRACKING_USERNAME" in text
    secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
    assert not [word for word in (PASSWORD, WRONG, secret) if word in text]
    assert auth_server.ask("search", experiment) == []


def test_what_was_refused_arrives_with_the_right_credentials(auth_server, experiment, monkeypatch):
    log_in(monkeypatch, USER, WRONG)
    told = []
    with Tracer(auth_server.url, experiment=experiment, on_warning=told.append) as tracer:
        refused(tracer, told)
    arrives(auth_server, experiment, monkeypatch)


def test_what_another_process_was_refused_arrives(
    auth_server, experiment, model_server, monkeypatch
):
    log_in(monkeypatch, USER, WRONG)
    code = "with span('root'), span('child'):\n    pass\ntracer.flush(timeout=1)"
    with programs.started(code, auth_server, experiment, model_server) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "MLFLOW_TRACKING_USERNAME" in told
    assert WRONG not in told
    arrives(auth_server, experiment, monkeypatch)


def arrives(auth_server, experiment, monkeypatch):
    """With the right credentials, what waits arrives with what is new."""
    log_in(monkeypatch, USER, PASSWORD)
    with Tracer(auth_server.url, experiment=experiment) as tracer:
        work(tracer)
        tracer.flush(timeout=20)
        traces = auth_server.traces(experiment, 2, until=lambda seen: all(map(is_finalized, seen)))
    for trace in traces:
        check(trace)


def test_a_user_who_may_only_read(auth_server, experiment, monkeypatch):
    log_in(monkeypatch, USER, PASSWORD)
    with Tracer(auth_server.url, experiment=experiment) as tracer:
        work(tracer)
        tracer.flush(timeout=20)
    reader = f"reader-{experiment}"
    made = httpx.post(
        auth_server.url + "/api/2.0/mlflow/users/create",
        json={"username": reader, "password": "twelve letters"},
        auth=(USER, PASSWORD),
        trust_env=False,
    )
    assert made.status_code == 200, made.text
    log_in(monkeypatch, reader, "twelve letters")
    told = []
    with Tracer(auth_server.url, experiment=experiment, on_warning=told.append) as tracer:
        refused(tracer, told)
    assert len(auth_server.traces(experiment, 1)) == 1
