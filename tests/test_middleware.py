"""A real server with a real application: each request is one connected trace."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from ollamatrace import Tracer, current_span, inject, session, span, trace
from ollamatrace.middleware import TraceMiddleware
from ollamatrace.sync import search_traces
from tests.application import AGENT, ANSWER, application, ask_at_once, served, until


@pytest.fixture
def web(replay, tracer):
    model, _ = replay("ollama-native/chat_stream")
    with served(application(model.url, tracer)) as client:
        yield client


def finished(tracer, count):
    found = []

    def enough():
        found.extend(tracer.finished())
        return len(found) >= count

    until(enough)
    return {record.name: record for record in found}


def parents(records):
    names = {record.span_id: record.name for record in records.values()}
    return {record.name: names.get(record.parent_id) for record in records.values()}


def test_a_stream_with_a_call_and_a_background_task(web, tracer):
    assert web.get("/ask").text == ANSWER
    records = finished(tracer, 4)
    assert parents(records) == {
        "GET /ask": None,
        "answer": "GET /ask",
        "AsyncChat": "answer",
        "in the background": "GET /ask",
    }
    assert len({record.trace_id for record in records.values()}) == 1
    root = records["GET /ask"]
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["url.path"] == "/ask"
    assert root.outputs == {"status": 200}
    assert root.end_ns >= max(record.end_ns for record in records.values())


def test_threads(web, tracer):
    assert web.get("/threads").json() == [None, None]
    expected = {"GET /threads": None, "fan out": "GET /threads", "one": "fan out", "two": "fan out"}
    assert parents(finished(tracer, 4)) == expected


def test_a_generator_in_a_pool_of_threads(web, tracer):
    assert web.get("/lines").text == "0\n1\n2\n"
    found = parents(finished(tracer, 4))
    assert found == {"GET /lines": None, **{f"line {number}": "GET /lines" for number in range(3)}}


def test_a_trace_that_comes_in_is_gone_on_with(web, tracer):
    with session("here"), tracer.span("caller") as caller:
        assert web.get("/threads", headers=inject({})).status_code == 200
    records = finished(tracer, 5)
    assert parents(records)["GET /threads"] == "caller"
    assert {record.trace_id for record in records.values()} == {caller.trace_id}
    assert records["GET /threads"].session is None


def test_requests_at_the_same_time_are_traces_of_their_own(web, tracer):
    assert ask_at_once(web, "/threads", 8) == ["[null,null]"] * 8
    found = []
    until(lambda: found.extend(tracer.finished()) or len(found) >= 32)
    traces = {}
    for record in found:
        traces.setdefault(record.trace_id, []).append(record.name)
    assert len(traces) == 8
    assert {tuple(sorted(names)) for names in traces.values()} == {
        ("GET /threads", "fan out", "one", "two")
    }


@pytest.mark.parametrize("times", [1, 6])
def test_each_request_is_one_whole_trace_in_the_embedded_store(replay, tmp_path, times):
    model, _ = replay("ollama-native/chat_stream")
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with served(application(model.url, tracer)) as web:
            assert ask_at_once(web, "/agent", times) == [ANSWER] * times
        # The server has stopped: background tasks are done, all spans have ended.
        assert tracer.flush().delivered == times * len(AGENT)
        traces = search_traces()
    assert len(traces) == times
    for found in traces:
        records = {record.name: record for record in found.spans}
        assert parents(records) == AGENT
        assert len(found.spans) == len(AGENT)
        assert {record.status for record in found.spans} == {"OK"}
        assert found.root.end_ns == max(record.end_ns for record in found.spans)
        assert "".join(records["agent"].outputs) == ANSWER
        assert records["AsyncChat"].end_reason == "exhausted"
        assert records["AsyncChat"].outputs["message"]["content"] == ANSWER


def test_an_application_that_fails(web, tracer):
    assert web.get("/breaks").status_code == 500
    [record] = finished(tracer, 1).values()
    assert (record.status, record.status_message) == ("ERROR", "LookupError: nothing there")


def test_a_client_that_goes_away(web, tracer):
    with web.stream("GET", "/for-ever") as response:
        next(response.iter_bytes())
    [record] = finished(tracer, 1).values()
    assert record.attributes["http.response.status_code"] == 200
    assert tracer.pipeline.open == {}


def stepped(name):
    with span(f"{name} begins"):
        pass
    yield "a"
    with span(f"{name} goes on"):
        pass
    yield "b"


async def astepped(name):
    for item in stepped(name):
        await anyio.lowlevel.checkpoint()
        yield item


def starlette_app(make):
    async def endpoint(_request):
        return StreamingResponse(make("body"))

    return Starlette(routes=[Route("/", endpoint)])


def fastapi_app(make):
    app = FastAPI()

    @app.get("/")
    def endpoint():
        return StreamingResponse(make("body"))

    return app


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("app", [starlette_app, fastapi_app])
@pytest.mark.parametrize("make", [stepped, astepped])
@pytest.mark.parametrize("traced", [False, True])
def test_a_body_in_steps_is_below_its_request(backend, app, make, traced, tracer):
    served_app = TraceMiddleware(app(trace(name="body")(make) if traced else make))

    async def main():
        transport = httpx.ASGITransport(served_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.get("/")).text

    assert anyio.run(main, backend=backend) == "ab"
    above = "body" if traced else "GET /"
    expected = {"body begins": above, "body goes on": above, "GET /": None}
    records = finished(tracer, 3 + traced)
    assert parents(records) == expected | ({"body": "GET /"} if traced else {})
    assert not traced or records["body"].outputs == ["a", "b"]


async def test_what_is_no_request_passes_through(tracer):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, current_span()))

    await TraceMiddleware(app, tracer=tracer)({"type": "lifespan"}, None, None)
    assert seen == [({"type": "lifespan"}, None)]
    assert tracer.finished() == []


async def test_a_websocket_is_a_span(tracer):
    async def app(scope, receive, send):
        with tracer.span("said"):
            await send({"type": "websocket.accept"})

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/socket", "headers": []}
    await TraceMiddleware(app, tracer=tracer)(scope, None, send)
    assert sent == [{"type": "websocket.accept"}]
    said, socket = tracer.finished()
    assert (socket.name, said.parent_id) == ("WEBSOCKET /socket", socket.span_id)


async def test_without_a_tracer_the_one_that_fits_is_used(tracer):
    async def app(scope, receive, send):
        assert current_span().owner is tracer

    await TraceMiddleware(app)({"type": "http", "method": "GET", "path": "/"}, None, None)
    assert [record.name for record in tracer.finished()] == ["GET /"]


def test_an_application_inside_of_another(tracer):
    inner = Starlette(routes=[Route("/answer", lambda _request: PlainTextResponse(ANSWER))])
    outer = Starlette(routes=[Mount("/inner", TraceMiddleware(inner, tracer))])
    incoming = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with served(TraceMiddleware(outer, tracer)) as client:
        assert client.get("/inner/answer", headers=incoming).text == ANSWER
        until(lambda: not tracer.pipeline.open)
    below, above = tracer.finished()
    assert (below.parent_id, above.parent_id) == (above.span_id, "b" * 16)
