"""Traces that OpenTelemetry began, on a real server: without its spans, and with them."""

from __future__ import annotations

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from ollamatrace import otel, update_trace
from tests.servers.stored import metadata, previews, spans, state, tree


@pytest.fixture
def theirs():
    otel.connect()
    yield TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    otel.disconnect()


def test_shown_complete_and_connected_when_theirs_comes(mlflow_server, experiment, tracer, theirs):
    with theirs.start_as_current_span("server") as server, tracer.span("agent") as agent:
        agent.inputs, agent.outputs = "a question", "an answer"
        update_trace(user="ada")
        with tracer.span("inner"):
            pass
    report = tracer.flush(timeout=20)
    assert report.delivered == report.accepted == 2
    trace = mlflow_server.trace(experiment)
    assert tree(trace) == [("agent", "?"), ("inner", "agent")]

    def check(trace):
        assert state(trace) == "OK"
        assert previews(trace) == ('"a question"', '"an answer"')
        assert trace["info"]["tags"]["mlflow.traceName"] == "agent"
        assert metadata(trace)["mlflow.trace.user"] == "ada"

    check(trace)
    send(mlflow_server, trace, server)
    trace = mlflow_server.trace(experiment, until=lambda seen: len(spans(seen)) == 3)
    assert tree(trace) == [("agent", "server"), ("inner", "agent"), ("server", None)]
    check(trace)


def send(mlflow_server, trace, span):
    """Bring a span of OpenTelemetry's to the server, as its exporter does."""
    known = span.get_span_context()
    sent = {
        "traceId": f"{known.trace_id:032x}",
        "spanId": f"{known.span_id:016x}",
        "name": span.name,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
    }
    experiment_id = trace["info"]["trace_location"]["mlflow_experiment"]["experiment_id"]
    httpx.post(
        f"{mlflow_server.url}/v1/traces",
        json={"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]},
        headers={"x-mlflow-experiment-id": experiment_id},
    ).raise_for_status()
