"""Thousands of spans to a real server over a wire that breaks: each is in its database, once."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from ollamatrace import Delivery, Tracer
from tests.faults.load import Load, Watch, settled
from tests.servers.broken_wire import BrokenWire
from tests.servers.mlflow_server import MlflowServer
from tests.servers.stored import is_finalized, tokens

SPANS = """SELECT s.trace_id, s.span_id FROM spans s
    JOIN experiments e ON e.experiment_id = s.experiment_id WHERE e.name = ?"""
SOURCES = """SELECT m.value FROM trace_request_metadata m
    JOIN trace_info i ON i.request_id = m.request_id
    JOIN experiments e ON e.experiment_id = i.experiment_id
    WHERE e.name = ? AND m.key = 'mlflow.source.name'"""


@pytest.fixture
def database(tmp_path):
    return tmp_path / "mlflow.db"


@pytest.fixture
def server(tmp_path, reader, database):
    """A server of the test's own, which it may kill."""
    server = MlflowServer(tmp_path, f"sqlite:///{database}", reader).start()
    yield server
    server.stop()


@pytest.fixture
def wire(server):
    wire = BrokenWire(server.port)
    yield wire
    wire.stop()


def rows(database, query, *values):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query, values).fetchall()


@pytest.mark.parametrize(
    ("mode", "spans", "per_trace"), [("throughput", 20_000, 50), ("info", 1_000, 5)]
)
def test_each_span_is_in_the_database_once(mode, spans, per_trace, server, wire, database):
    delivery = Delivery(mode=mode, timeout_s=5)
    with Tracer(wire.url, experiment="Faults", delivery=delivery) as tracer, Watch(tracer):
        load = Load(tracer, spans, per_trace).start()
        wire.breaks_in("reset")
        wire.breaks_in("cut")
        wire.breaks_in("mute", times=1)
        server.stop()
        server.start()
        wire.breaks_in("cut", times=1)
        load.join()
        report = settled(tracer)
    assert (report.accepted, report.delivered, report.dropped) == (spans, spans, 0)
    stored = rows(database, SPANS, "Faults")
    assert len(stored) == len(set(stored)) == spans
    assert {(trace.removeprefix("tr-"), span) for trace, span in stored} == load.made
    roots = rows(database, SOURCES, "Faults")
    assert len(roots) == (spans // per_trace if mode == "info" else 0)


def test_what_comes_twice_counts_once(server, wire, database):
    """Tokens of spans that were stored, but not answered, so that they are sent again."""
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    with Tracer(wire.url, experiment="Faults") as tracer:
        with tracer.span("first"):
            pass
        assert tracer.flush(timeout=20).delivered == 1
        wire.mode = "cut"
        with tracer.span("agent"):
            for _ in range(3):
                with tracer.span("Chat", kind="CHAT_MODEL") as call:
                    call.set("mlflow.chat.tokenUsage", usage)
        tracer.flush(timeout=0.5)
        assert wire.breaks >= 2
        assert len(rows(database, SPANS, "Faults")) == 5
        wire.mode = "well"
        settled(tracer)
    traces = server.traces("Faults", 2, until=lambda seen: all(map(is_finalized, seen)))
    assert sorted(tokens(one)["total_tokens"] for one in traces if tokens(one)) == [45]
