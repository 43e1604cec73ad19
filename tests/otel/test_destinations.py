"""What destinations get of traces whose topmost spans are OpenTelemetry's."""

from __future__ import annotations

import asyncio
import json

from opentelemetry import context

from ollamatrace import Tracer, extract, update_trace
from ollamatrace.records import PARENT
from ollamatrace.testing import MemoryTracer
from tests.destinations.mlflow.loopback import Loopback
from tests.otel.current import INCOMING, PROPAGATOR, ids

INFO = "/api/3.0/mlflow/traces"


def marked(tracer):
    return {one.name: one.attributes.get(PARENT) for one in tracer.finished()}


def test_the_topmost_of_ours_are_marked(tracer, theirs):
    with theirs.span("server"):
        with tracer.span("first"), theirs.span("between"), tracer.span("inner"):
            pass
        with tracer.span("second"), tracer.span("within"):
            pass
    with tracer.span("root"), theirs.span("below"), tracer.span("deep"):
        pass
    found = marked(tracer)
    assert {name for name, by in found.items() if by == "opentelemetry"} == {"first", "second"}
    assert found.keys() == {"first", "inner", "second", "within", "root", "deep"}


def test_marked_for_the_tracer_that_has_none_above(tracer, theirs):
    with MemoryTracer() as other, tracer.span("a"), theirs.span("b") as b:
        with other.span("c"):
            pass
        [record] = other.finished()
    assert record.parent_id == ids(b)[0]
    assert record.is_top


def test_not_marked_where_another_process_may_record_what_is_above(tracer, theirs):
    with extract(INCOMING), theirs.span("b"), tracer.span("in extract"):
        pass
    token = context.attach(PROPAGATOR.extract(INCOMING))
    with tracer.span("of theirs, remote"):
        pass
    with theirs.span("server"), tracer.span("below a server span"):
        pass
    context.detach(token)
    assert set(marked(tracer).values()) == {None}


def test_an_mlflow_server_gets_the_info_of_the_trace(theirs):
    with Loopback() as server, Tracer(server.url, experiment="Tests") as tracer:
        with theirs.span("server"), tracer.span("agent") as agent:
            agent.inputs, agent.outputs = {"question": "why"}, "because"
            update_trace(user="ada", tags={"a": "1"})
            with theirs.span("between"), tracer.span("inner"):
                pass
        assert tracer.flush().delivered == 2
        told = [json.loads(one["body"]) for one in server.calls(INFO) if one["path"] == INFO]
    info = told[0]["trace"]["trace_info"]
    assert info["trace_id"] == f"tr-{agent.trace_id}"
    assert info["state"] == "OK"
    assert info["tags"] == {"a": "1", "mlflow.traceName": "agent"}
    assert (info["request_preview"], info["response_preview"]) == (
        '{"question": "why"}',
        '"because"',
    )


def test_an_embedded_store_shows_them(tmp_path, theirs):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with theirs.span("server") as server, tracer.span("agent"):
            pass
        tracer.flush()
        trace = asyncio.run(tracer.get_trace(ids(server)[1]))
    assert trace.root.name == "agent"
    assert trace.root.parent_id == ids(server)[0]
