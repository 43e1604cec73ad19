"""`ollamatrace doctor` and a server of OpenTelemetry."""

from __future__ import annotations

import socket

import pytest

from ollamatrace.settings import default_spool
from tests.cli.test_doctor import is_problem
from tests.destinations.otlp.collector import Collector


@pytest.fixture
def server():
    with Collector() as server:
        yield server


def test_a_server_that_takes_spans_and_metrics(diagnose, server):
    code, found = diagnose("--server", server.url)
    assert code == 0
    assert found["write"] == ("ok", f"spans are taken at http://{server.address}/v1/traces")
    assert found["metrics"] == ("ok", f"metrics are taken at http://{server.address}/v1/metrics")
    assert "no test span was sent" in found["test_span"][1]
    assert len(server.requests) == len(server.reports) == 1
    assert server.spans == server.metrics() == {}
    assert not default_spool().parent.exists()


@pytest.mark.parametrize(
    ("status", "check", "said"),
    [
        (401, "server", "OTEL_EXPORTER_OTLP_HEADERS"),
        (403, "server", "OTEL_EXPORTER_OTLP_HEADERS"),
        (404, "server", "takes no traces at this path"),
        (405, "server", "takes no traces at this path"),
        (415, "server", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (400, "write", "answers 400"),
        (503, "reachable", "answers 503"),
    ],
)
def test_what_is_wrong_and_what_to_do(diagnose, server, status, check, said):
    server.answer((status,))
    is_problem(diagnose("--server", server.url), check, said)
    assert not server.reports


def test_a_server_that_is_not_there(diagnose):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = diagnose("--server", f"otlp+http://127.0.0.1:{port}")
    is_problem(result, "reachable", "nothing listens there")
    result = diagnose("--server", "otlp+http://no-such-host.invalid:4318")
    is_problem(result, "reachable", "does not resolve")


@pytest.mark.parametrize(
    ("status", "level", "said"),
    [
        (404, "ok", "it takes no metrics; only spans go there"),
        (401, "warning", "OTEL_EXPORTER_OTLP_HEADERS"),
        (503, "warning", "do not arrive"),
    ],
)
def test_a_server_without_metrics(diagnose, server, status, level, said):
    server.answer_metrics((status,))
    code, found = diagnose("--server", server.url)
    assert (code, found["metrics"][0]) == (0, level)
    assert said in found["metrics"][1]


def test_metrics_that_are_turned_off(diagnose, environ, server):
    environ.setenv("OTEL_METRICS_EXPORTER", "none")
    _, found = diagnose("--server", server.url)
    assert "metrics" not in found
    assert found["otlp_variables"] == ("ok", "set: OTEL_METRICS_EXPORTER")


def test_the_environments_server_and_no_secrets(diagnose, environ, server):
    environ.setenv("OLLAMATRACE_SERVER", "otlp:")
    environ.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{server.address}")
    environ.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=SECRET")
    code, found = diagnose()
    assert code == 0
    assert server.requests[0]["headers"]["x-key"] == "SECRET"
    assert "OTEL_EXPORTER_OTLP_HEADERS" in found["otlp_variables"][1]
    assert "SECRET" not in str(found)


def test_an_address_that_is_none(diagnose):
    is_problem(diagnose("--server", "otlp+http://localhost:4317"), "address", "gRPC")


def test_a_test_span_goes_all_the_way_if_asked_for(diagnose, server):
    code, found = diagnose("--server", server.url, "--send")
    assert code == 0
    level, text = found["test_span"]
    assert level == "ok"
    assert text.startswith("a test span has arrived (accepted 1, delivered 1, ")
    assert list(server.spans) == ["ollamatrace doctor"]
