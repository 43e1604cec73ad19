"""Which span is the parent: OpenTelemetry's and ours by turns, and in headers."""

from __future__ import annotations

import gc
import weakref

import httpx
from opentelemetry import context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from ollamatrace import (
    current_span,
    extract,
    inject,
    set_default,
    span,
    update_trace,
)
from ollamatrace.middleware import TraceMiddleware
from ollamatrace.testing import MemoryTracer
from tests.otel.current import (
    INCOMING,
    PROPAGATOR,
    SPAN,
    TRACE,
    Otel,
    ids,
    nothing_is_current,
    now,
    ours,
    work,
)


def test_below_a_span_of_theirs(tracer, theirs):
    with theirs.span("request") as request:
        with span("inside") as inside:
            assert ids(inside)[1] == ids(request)[1]
            work()
        assert otel_trace.get_current_span() is request
        assert current_span() is None
        work("second")
    found = ours(tracer)
    assert found["inside"] == found["second"] == ids(request)
    assert found["work"] == ids(inside)


def test_theirs_below_ours(tracer, theirs):
    with span("agent") as agent:
        known = otel_trace.get_current_span().get_span_context()
        assert ids(otel_trace.get_current_span()) == ids(agent)
        assert known.is_valid
        assert not known.is_remote
        assert known.trace_flags.sampled
        with theirs.span("GET"):
            assert current_span() is agent
    assert nothing_is_current()
    assert theirs.parents() == {"GET": ids(agent)}
    assert ours(tracer) == {"agent": (None, agent.trace_id)}


def test_by_turns(tracer, theirs):
    with span("a") as a, theirs.span("b") as b, span("c") as c:
        with theirs.span("d") as d:
            with span("e") as e:
                assert e.top() is c.top() is a
                update_trace(user="ada")
            assert otel_trace.get_current_span() is d
            assert now() == ids(d)
            assert current_span() is c
            update_trace(tags={"said": "in theirs"})
        assert now() == ids(c)
    records = {one.name: one for one in tracer.finished()}
    assert theirs.parents() == {"b": ids(a), "d": ids(c)}
    assert (records["c"].parent_id, records["c"].trace_id) == ids(b)
    assert (records["e"].parent_id, records["e"].trace_id) == ids(d)
    assert records["a"].start_ns <= records["c"].start_ns <= records["e"].start_ns
    assert {one.user for one in records.values()} == {"ada"}
    assert records["a"].tags == {"said": "in theirs"}


def test_what_is_said_below_theirs_is_said_of_all(tracer, theirs):
    with theirs.span("request"):
        update_trace(user="ada")
        work("first")
        with span("second"):
            update_trace(tags={"a": "1"})
        work("third")
    records = {one.name: one for one in tracer.finished()}
    assert {one.user for one in records.values()} == {"ada"}
    assert records["third"].tags == {"a": "1"}


def test_ended_in_another_order(tracer, theirs):
    first, request = span("first"), theirs.span("request")
    first.__enter__()
    request.__enter__()
    first.__exit__(None, None, None)
    assert otel_trace.get_current_span().is_recording()  # theirs is open: it stays
    work()
    request.__exit__(None, None, None)  # makes what was current before it so again
    assert nothing_is_current()
    work("after")
    with theirs.span("theirs after"):
        pass
    assert theirs.parents()["theirs after"][0] is None
    found = ours(tracer)
    assert found["work"][0] not in {None, ids(first)[0]}
    assert found["after"][0] is None


def test_an_outer_one_is_left_where_an_inner_one_was_in_another_order(tracer, theirs):
    with theirs.span("around") as around:
        with span("outer") as outer:
            inner, request = span("inner"), theirs.span("request")
            inner.__enter__()
            request.__enter__()
            inner.__exit__(None, None, None)
            request.__exit__(None, None, None)
            assert now() == ids(outer)
        assert otel_trace.get_current_span() is around


def test_left_open_by_theirs_no_chain_grows(tracer, theirs):
    gone = []
    for _ in range(3):
        one, request = span("one"), theirs.span("request")
        one.__enter__()
        request.__enter__()
        one.__exit__(None, None, None)
        request.__exit__(None, None, None)
        gone.append(weakref.ref(one))
    del one
    tracer.finished()
    work()
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]


def test_the_tracer_is_found_through_theirs(theirs):
    with MemoryTracer() as one, MemoryTracer() as other:
        set_default(other)
        with one.span("a"), theirs.span("b") as b, span("c"):
            pass
        assert ours(one)["c"] == ids(b)
        with one.span("a"), theirs.span("root", context=context.Context()) as root, span("c"):
            assert current_span().trace_id == ids(root)[1]
        assert ours(one)["c"] == ids(root)
        with theirs.span("b") as b, one.span("a"), otel_trace.use_span(b), span("c"):
            pass
        assert ours(one)["c"] == ids(b)
        assert not ours(other)


def test_not_sampled_by_theirs(tracer):
    theirs = Otel(sampler=ALWAYS_OFF)
    with theirs.span("request") as request:
        with span("inside") as inside:
            flags = otel_trace.get_current_span().get_span_context().trace_flags
            assert not flags.sampled
            assert inject()["traceparent"].endswith(f"{inside.span_id}-{flags:02x}")
        assert inject()["traceparent"].endswith(f"{ids(request)[0]}-{flags:02x}")
    assert ours(tracer) == {}
    assert tracer.stats().sampled_out == 1


def test_trace_state_goes_along(tracer, theirs):
    with extract(INCOMING), span("a") as a:
        sent = {}
        PROPAGATOR.inject(sent)
        assert sent == {**inject(), "tracestate": "vendor=1"}
        assert a.span_id in sent["traceparent"]
        with theirs.span("b") as b:
            assert b.get_span_context().trace_state.to_header() == "vendor=1"
            assert inject()["traceparent"].split("-")[1:3] == [TRACE, ids(b)[0]]
            with span("c") as c:
                assert inject()["tracestate"] == "vendor=1"
                assert otel_trace.get_current_span().get_span_context().trace_state["vendor"] == "1"
    token = context.attach(PROPAGATOR.extract(INCOMING))  # theirs has read the headers
    work("d")
    context.detach(token)
    found = ours(tracer)
    assert found["a"] == found["d"] == (SPAN, TRACE)
    assert found["c"] == ids(b)
    assert c.top().is_remote


def test_extracted_is_a_parent_of_theirs_too(tracer, theirs):
    with extract(INCOMING):
        assert otel_trace.get_current_span().get_span_context().is_remote
        with theirs.span("inside"):
            pass
        assert current_span() is None
    assert theirs.parents() == {"inside": (SPAN, TRACE)}
    assert nothing_is_current()


def test_what_is_said_below_theirs_below_another_process(tracer, theirs):
    late = span("late")
    with extract(INCOMING), theirs.span("b"):
        update_trace(user="ada")
        work("first")
        tracer.flush()  # its record is made: only a change reaches it now
        late.__enter__()
        update_trace(tags={"a": "1"})
    late.__exit__(None, None, None)
    first, last = tracer.finished()
    assert first.user == last.user == "ada"
    assert first.tags == last.tags == {"a": "1"}


def test_extracted_where_theirs_has_gone_on_already(tracer, theirs):
    token = context.attach(PROPAGATOR.extract(INCOMING))
    with theirs.span("server") as server:
        with extract(INCOMING):
            work("same trace")
        with extract({"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}):
            work("another")
        assert otel_trace.get_current_span() is server
    context.detach(token)
    found = ours(tracer)
    assert found["same trace"] == ids(server)
    assert found["another"] == ("2" * 16, "1" * 32)


async def test_a_server_with_both(tracer, theirs):
    async def application(_scope, _receive, send):
        with theirs.span("handler"):
            work()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def instrumented(scope, receive, send):
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        with theirs.span("server", context=PROPAGATOR.extract(headers)):
            await TraceMiddleware(application, tracer)(scope, receive, send)

    transport = httpx.ASGITransport(instrumented)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        await client.get("/", headers=INCOMING)
    found, known = ours(tracer), theirs.parents()
    assert known["server"] == (SPAN, TRACE)
    request = found["GET /"]
    assert request[1] == TRACE
    assert request[0] not in {None, SPAN}
    assert known["handler"] not in {None, request}
    assert found["work"][1] == TRACE


def test_sent_by_their_propagator(tracer):
    with span("a") as a:
        sent = {}
        PROPAGATOR.inject(sent)
    assert sent == {"traceparent": f"00-{a.trace_id}-{a.span_id}-01"}
    PROPAGATOR.inject(sent := {})
    assert sent == {}
