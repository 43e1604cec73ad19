"""A web application on a real server, as a real MLflow server shows it: one trace a request."""

from __future__ import annotations

import pytest

from tests.application import AGENT, ANSWER, application, ask_at_once, served
from tests.servers.stored import attributes, is_finalized, previews, spans, state, tree


@pytest.fixture
def web(replay, tracer):
    model, _ = replay("ollama-native/chat_stream")
    with served(application(model.url, tracer)) as client:
        yield client


@pytest.mark.parametrize("times", [1, 6])
def test_each_request_is_one_whole_trace(mlflow_server, experiment, tracer, web, times):
    assert ask_at_once(web, "/agent", times) == [ANSWER] * times
    traces = mlflow_server.traces(
        experiment, times, until=lambda seen: all(map(is_finalized, seen))
    )
    for trace in traces:
        assert tree(trace) == sorted(AGENT.items())
        assert state(trace) == "OK"
        assert previews(trace) == ('{"method": "GET", "path": "/agent"}', '{"status": 200}')
        found = spans(trace)
        assert {span["status"]["code"] for span in found.values()} == {"STATUS_CODE_OK"}
        kinds = {name: attributes(span)["mlflow.spanType"] for name, span in found.items()}
        assert kinds == {
            "GET /agent": "UNKNOWN",
            "agent": "AGENT",
            "plan": "CHAIN",
            "look up one": "RETRIEVER",
            "look up two": "RETRIEVER",
            "AsyncChat": "CHAT_MODEL",
            "in the background": "UNKNOWN",
        }
        assert "".join(attributes(found["agent"])["mlflow.spanOutputs"]) == ANSWER
        assert attributes(found["look up one"])["mlflow.spanInputs"] == "one"


def test_a_request_that_fails(mlflow_server, experiment, tracer, web):
    assert web.get("/breaks").status_code == 500
    trace = mlflow_server.trace(experiment, until=is_finalized)
    assert (state(trace), tree(trace)) == ("ERROR", [("GET /breaks", None)])
    [event] = trace["data"]["spans"][0]["events"]
    assert event["name"] == "exception"
