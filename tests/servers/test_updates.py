"""Session, user, tags, metadata and name of a trace, said in the middle of it and after it."""

from __future__ import annotations

import openai
import pytest

from ollamatrace import Delivery, TracedClient, Tracer, session, update_trace
from ollamatrace.destinations.mlflow.improvements import improvements
from tests.servers import golden
from tests.servers.compare import Allowed, comparable, differences
from tests.servers.stored import (
    TOKENS,
    attributes,
    is_finalized,
    metadata,
    spans,
    state,
    tags,
    tokens,
)

SAID = {
    "session": "chat-7",
    "user": "alice",
    "tags": {"env": "dev", "team": "x"},
    "metadata": {"app.version": "1.2"},
    "name": "a better name",
}


@pytest.fixture
def ask(tracer, model_server):
    with openai.OpenAI(base_url=model_server.url + "/v1", api_key="x", max_retries=0) as bare:
        client = TracedClient(bare, tracer=tracer)
        [wanted] = golden.load("context_manager_session")["traces"]
        [span] = wanted["data"]["spans"]
        given = golden.attributes(span)["mlflow.spanInputs"]
        yield lambda: client.chat.completions.create(**given)


def delivered(tracer):
    report = tracer.flush(timeout=20)
    assert report.delivered == report.accepted > 0, report


def check(trace):
    assert state(trace) == "OK"
    assert tokens(trace) == TOKENS
    assert metadata(trace)["mlflow.trace.session"] == "chat-7"
    assert metadata(trace)["mlflow.trace.user"] == "alice"
    assert metadata(trace)["app.version"] == "1.2"
    assert tags(trace).items() >= SAID["tags"].items()
    assert trace["info"]["tags"]["mlflow.traceName"] == "a better name"


def is_updated(trace):
    return metadata(trace).get("app.version") == "1.2"


def test_in_the_middle(mlflow_server, experiment, tracer, ask):
    with tracer.span("root"):
        ask()
        update_trace(**SAID)
    delivered(tracer)
    check(mlflow_server.trace(experiment, until=is_finalized))
    for where in (
        "tags.env = 'dev'",
        "metadata.`mlflow.trace.user` = 'alice'",
        "metadata.`app.version` = '1.2'",
        "name = 'a better name'",
    ):
        assert len(mlflow_server.ask("search", experiment, filter_string=where)) == 1, where


def test_after_the_end(mlflow_server, experiment, tracer, ask):
    with tracer.span("root"):
        ask()
    update_trace(**SAID)
    delivered(tracer)
    check(mlflow_server.trace(experiment, until=is_updated))


def test_after_the_delivery(mlflow_server, experiment, tracer, ask):
    with tracer.span("root"):
        ask()
    delivered(tracer)
    before = mlflow_server.trace(experiment, until=is_finalized)
    update_trace(**SAID)
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=is_updated)
    check(trace)
    for field in ("request_time", "execution_duration_ms", "request_preview", "response_preview"):
        assert trace["info"].get(field) == before["info"].get(field)


def test_bit_by_bit(mlflow_server, experiment, tracer, ask):
    with tracer.span("root"):
        update_trace(tags={"env": "test", "team": "x"}, user="bob")
        ask()
        update_trace(tags={"env": "dev"}, session="chat-7")
    update_trace(user="alice", name="a better name")
    delivered(tracer)
    update_trace(metadata=SAID["metadata"])
    delivered(tracer)
    check(mlflow_server.trace(experiment, until=is_updated))


def test_the_trace_is_as_one_of_mlflows_own(mlflow_server, experiment, tracer, ask):
    """Against what ``mlflow.tracing.context(session_id=, user=, tags=, metadata=)`` left."""
    with session("sess-2"):
        ask()
        update_trace(user="bob", tags={"t": "1"}, metadata={"m": "2"})
    delivered(tracer)
    [wanted] = golden.load("context_manager_session")["traces"]
    reasons = golden.improvements_for(wanted, improvements)
    trace = mlflow_server.trace(experiment, until=lambda trace: metadata(trace).get("m") == "2")
    wanted = comparable(wanted)
    wanted["spans"][0].pop("kind")  # it is not kept before 3.18
    meant = Allowed(reasons)
    left = meant.left(differences(wanted, comparable(trace)))
    assert not left, "\n" + "\n".join(map(Allowed.told, left))
    assert "session.id" in meant.met


def test_in_spans_alone(mlflow_server, experiment, ask):
    """In the mode for throughput: all but metadata, for which only the trace info has a place."""
    delivery = Delivery(mode="throughput")
    with Tracer(mlflow_server.url, experiment=experiment, delivery=delivery) as tracer:
        with tracer.span("root"):
            update_trace(**SAID)
        delivered(tracer)
    trace = mlflow_server.trace(experiment)
    assert not is_finalized(trace)
    assert metadata(trace)["mlflow.trace.session"] == "chat-7"
    assert metadata(trace)["mlflow.trace.user"] == "alice"
    assert tags(trace) == SAID["tags"]
    assert trace["info"]["tags"]["mlflow.traceName"] == "a better name"
    known = attributes(spans(trace)["a better name"])
    assert known["user.id"] == "alice"
    assert known["mlflow.traceTag.env"] == "dev"
