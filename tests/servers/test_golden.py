"""The traces of our calls on a real server, against those that MLflow's own autolog left."""

from __future__ import annotations

import pytest

from ollamatrace import TracedClient, Tracer
from ollamatrace.destinations.mlflow.improvements import improvements
from tests.servers import golden
from tests.servers.compare import Allowed, comparable, differences
from tests.servers.stored import is_finalized

# The files were made with MLflow 3.18.
VERSIONS = {"kind": "the kind of a span is not kept before 3.18"}
ELSEWHERE = {
    "ollama.*": "test_native.py",
    "session.id": "test_updates.py",
    "user.id": "test_updates.py",
}
"""Improvements that no call here shows, and where they are shown."""

older = Allowed(VERSIONS, less=VERSIONS)
made = set()
met = set()


@pytest.mark.parametrize("name", golden.names())
def test_the_trace_is_as_autologs(name, mlflow_server, model_server, experiment):
    expected = golden.load(name)
    with Tracer(mlflow_server.url, experiment=experiment) as tracer:
        raised = golden.call(
            name, lambda client: TracedClient(client, tracer=tracer), model_server.url
        )
        assert raised == expected.get("raised")
        report = tracer.flush(timeout=20)
    assert (report.accepted, report.delivered) == (1, 1), report
    [wanted] = expected["traces"]
    trace = mlflow_server.trace(experiment, until=is_finalized)
    found = differences(comparable(wanted), comparable(trace))
    made.add(name)
    meant = Allowed(golden.improvements_for(wanted, improvements))
    left = meant.left(older.left(found))
    met.update(meant.met)
    assert not left, "\n" + "\n".join(map(Allowed.told, left))


def test_every_improvement_is_one_somewhere():
    everything = set()
    for kind in ("CHAT_MODEL", "LLM", "EMBEDDING"):
        for failed in (True, False):
            everything |= set(improvements(kind, failed=failed))
    assert met <= everything - set(ELSEWHERE)
    if made == set(golden.names()):  # else they were not all asked for in this run
        assert everything == met | set(ELSEWHERE)
        assert older.met == set(VERSIONS)
