"""Spans of one's own on a real server, against those that MLflow's own functions left."""

from __future__ import annotations

import openai
import pytest

from ollamatrace import TracedClient, Tracer, current_span, session, trace, update_trace
from ollamatrace.cli.replay import ReplayServer
from ollamatrace.destinations.mlflow.improvements import improvements
from tests.servers import golden
from tests.servers.compare import Allowed, comparable, differences
from tests.servers.stored import attributes, is_finalized, spans
from tests.servers.test_golden import VERSIONS
from tests.spans.test_values import KINDS

MODEL = "llama3.2:1b"
FUNCTIONS = {"code.function.name": "the whole name of a function, and not its last part alone"}


@pytest.fixture
def bare():
    """A client of a server that answers its first call, whatever it asks."""
    exchange = golden.exchange_of(golden.load("chat_sync"))
    with (
        ReplayServer([exchange], pace=0) as server,
        openai.OpenAI(base_url=server.url + "/v1", api_key="ollama", max_retries=0) as client,
    ):
        yield client


@pytest.fixture
def client(bare, tracer):
    return TracedClient(bare, tracer=tracer)


def check(name, server, experiment, tracer):
    report = tracer.flush(timeout=20)
    assert report.delivered == report.accepted, report
    [wanted] = golden.load(name)["traces"]
    found = differences(
        comparable(wanted), comparable(server.trace(experiment, until=is_finalized))
    )
    failed = wanted["info"]["state"] == "ERROR"
    meant = Allowed({**improvements("UNKNOWN", failed=failed), **FUNCTIONS})
    left = meant.left(Allowed(VERSIONS, less=VERSIONS).left(found))
    assert not left, "\n" + "\n".join(map(Allowed.told, left))


def test_an_agent_with_a_retrieval_and_a_call(mlflow_server, experiment, tracer, client):
    @trace(name="agent", kind="AGENT")
    def agent(q, n=2):
        current_span().set("k", n - 1)
        with tracer.span("retrieve", kind="RETRIEVER") as retrieve:
            retrieve.inputs = {"query": q}
            found = {"page_content": "doc", "metadata": {"doc_uri": "u", "chunk_id": "1"}}
            retrieve.outputs = [{**found, "id": "d1"}]
            for key, value in {"score": 0.5, "flag": True, "lst": [1, "a"], "none": None}.items():
                retrieve.set(key, value)
            retrieve.event("cache_miss", {"k": "v"})
        messages = [{"role": "user", "content": q}]
        answer = client.chat.completions.create(model=MODEL, messages=messages)
        return answer.choices[0].message.content

    assert agent("What is MLflow?")
    check("manual_parent", mlflow_server, experiment, tracer)


def test_a_function_that_raises(mlflow_server, experiment, tracer):
    @tracer.trace
    def boom(x):
        raise ValueError("bad " + str(x))

    with pytest.raises(ValueError, match="bad 3"):
        boom(3)
    check("manual_parent_exception", mlflow_server, experiment, tracer)


def test_what_is_said_about_a_trace(mlflow_server, experiment, tracer, client):
    with session("sess-2"):
        client.chat.completions.create(model=MODEL, messages=golden.messages())
        update_trace(user="bob", tags={"t": "1"}, metadata={"m": "2"})
    check("context_manager_session", mlflow_server, experiment, tracer)


def test_all_that_can_be_said_about_a_trace(mlflow_server, experiment, tracer, client):
    with tracer.span("turn", kind="CHAIN") as turn:
        update_trace(
            session="sess-1",
            user="alice",
            tags={"env": "dev", "team": "x"},
            metadata={"app.version": "1.2"},
            client_request_id="req-42",
            request_preview="custom req",
            response_preview="custom resp",
        )
        turn.inputs = "question"
        client.chat.completions.create(model=MODEL, messages=golden.messages())
        turn.outputs = "answer"
    check("session_user_metadata", mlflow_server, experiment, tracer)


def test_every_kind(mlflow_server, experiment, tracer):
    with tracer.span("root"):
        for kind in KINDS:
            tracer.trace(name=kind, kind=kind)(lambda: 1)()
    found = spans(mlflow_server.trace(experiment, until=is_finalized))
    kinds = {name: attributes(span)["mlflow.spanType"] for name, span in found.items()}
    assert kinds == {"root": "UNKNOWN", **{kind: kind for kind in KINDS}}


def test_nothing_is_sent_where_nothing_is_recorded(mlflow_server, experiment, bare):
    assert golden.load("disabled")["traces"] == []
    with Tracer(mlflow_server.url, experiment=experiment) as tracer:
        tracer.disable()
        client = TracedClient(bare, tracer=tracer)
        client.chat.completions.create(model=MODEL, messages=golden.messages())
        assert tracer.flush(timeout=20).accepted == 0
