"""What a real server does to those who do not know it."""

from __future__ import annotations

import socket
import uuid

import httpx
import pytest

from ollamatrace import Tracer
from ollamatrace.destinations.mlflow import MlflowChannel
from ollamatrace.destinations.mlflow.spans import encode
from ollamatrace.pipeline import Broken, Refused, Unavailable
from ollamatrace.settings import Access, Delivery
from tests.destinations.mlflow.samples import no_pause, span
from tests.pipeline.tracers import end_spans, until
from tests.servers.processes import poll


@pytest.fixture
def told():
    return []


def test_spans_without_an_experiment_are_lost(mlflow_server, experiment):
    """With SQLite without a word, which is why none are ever sent so."""
    trace_id = uuid.uuid4().hex
    answer = httpx.post(
        f"{mlflow_server.url}/v1/traces",
        content=encode([span(1, trace_id=trace_id)], no_pause),
        headers={"content-type": "application/json", "x-mlflow-experiment-id": ""},
        trust_env=False,
    )
    assert answer.status_code in {200, 400}
    asked = {"params": {"trace_id": f"tr-{trace_id}"}, "trust_env": False}
    url = f"{mlflow_server.url}/api/3.0/mlflow/traces/get"
    assert httpx.get(url, **asked).status_code == 404


def test_a_body_that_breaks_the_connection_breaks_no_other(mlflow_server, experiment):
    trace_id = uuid.uuid4().hex
    channel = MlflowChannel(mlflow_server.url, experiment, None, Delivery(), Access())
    channel.send([span(1, trace_id=trace_id)], no_pause)
    with pytest.raises((Refused, Broken, Unavailable)):
        channel._api.spans(b"[1]", channel._server.place().id)
    channel.send([span(2, trace_id=trace_id)], no_pause)
    channel.close()
    mlflow_server.traces(experiment, until=lambda seen: len(seen[0]["data"]["spans"]) == 2)


def test_an_experiment_that_is_deleted_is_told_and_costs_nothing(mlflow_server, experiment, told):
    """The server goes on taking spans for it: they are there again when it is restored."""
    api = f"{mlflow_server.url}/api/2.0/mlflow/experiments"
    with Tracer(mlflow_server.url, experiment=experiment, on_warning=told.append) as tracer:
        end_spans(tracer, "before")
        assert tracer.flush(timeout=20).delivered == 1
        place = tracer._destinations[0]._server.known
        changed = {"json": {"experiment_id": place.id}, "trust_env": False}
        assert httpx.post(f"{api}/delete", **changed).status_code == 200
        for number in range(3):
            end_spans(tracer, f"meanwhile {number}")
            tracer.flush(timeout=5)
        assert any("is deleted: restore it" in one for one in told)
        assert httpx.post(f"{api}/restore", **changed).status_code == 200
        poll(lambda: tracer.flush(timeout=5).delivered == 4, what="not all has arrived")
        assert tracer.stats().dropped == 0
    traces = mlflow_server.traces(experiment, 4)
    names = {one["data"]["spans"][0]["name"] for one in traces}
    assert names == {"before", *(f"meanwhile {number}" for number in range(3))}


@pytest.mark.parametrize("experiment_id", ["999999", "abc"])
def test_an_experiment_that_is_not_there(experiment_id, mlflow_server, monkeypatch, told):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)
    with Tracer(mlflow_server.url, on_warning=told.append) as tracer:
        end_spans(tracer, "waits")
        until(lambda: told)
        report = tracer.flush(timeout=5)
        assert (report.spooled, report.dropped) == (1, 0)
    assert experiment_id in told[0]


def test_a_workspace_on_a_server_without_any(mlflow_server, experiment, monkeypatch, told):
    monkeypatch.setenv("MLFLOW_WORKSPACE", "elsewhere")
    with Tracer(mlflow_server.url, experiment=experiment, on_warning=told.append) as tracer:
        end_spans(tracer, "waits")
        until(lambda: told)
        assert tracer.stats().dropped == 0
    assert "unset MLFLOW_WORKSPACE" in told[0]


def test_a_host_that_the_server_does_not_know(mlflow_server, experiment, monkeypatch, told):
    plain = socket.getaddrinfo

    def resolve(host, *args, **settings):
        known = host in ("mlflow.test", b"mlflow.test")
        return plain("127.0.0.1" if known else host, *args, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = f"http://mlflow.test:{mlflow_server.port}"
    with Tracer(url, experiment=experiment, on_warning=told.append) as tracer:
        end_spans(tracer, "waits")
        until(lambda: told)
        assert tracer.stats().dropped == 0
    assert "--allowed-hosts" in told[0]
