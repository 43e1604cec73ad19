"""A real server with a real application: each request is one connected trace."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time

import httpx
import ollama
import pytest
import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

from ollamatrace import TracedClient, copy_context_executor, current_span, inject, session
from ollamatrace.middleware import TraceMiddleware
from tests.exchanges import arguments, load

STREAM = arguments(load("ollama-native/chat_stream")["exchanges"][0])
DEADLINE_S = 20


def application(model, tracer):  # noqa: C901  one endpoint after the other
    """An application with what applications have: streams, background tasks, pools of threads."""
    app = FastAPI()
    app.add_middleware(TraceMiddleware, tracer=tracer)
    pool = copy_context_executor(concurrent.futures.ThreadPoolExecutor(2))

    def note(what):
        with tracer.span(what):
            pass

    @app.get("/ask")
    async def ask(background: BackgroundTasks) -> StreamingResponse:
        client = TracedClient(ollama.AsyncClient(host=model), tracer=tracer)

        async def words():
            with tracer.span("answer"):
                async for chunk in await client.chat(**STREAM):
                    yield chunk.message.content
            await client._client.aclose()

        background.add_task(note, "in the background")
        return StreamingResponse(words(), background=background)

    @app.get("/threads")
    def threads() -> list[None]:  # itself in a thread of the framework
        with tracer.span("fan out"):
            return list(pool.map(note, ["one", "two"]))

    @app.get("/lines")
    def lines() -> StreamingResponse:
        def made():
            for number in range(3):
                note(f"line {number}")
                yield f"{number}\n"

        return StreamingResponse(made())

    @app.get("/breaks")
    async def breaks() -> None:
        raise LookupError("nothing there")

    @app.get("/for-ever")
    async def for_ever() -> StreamingResponse:
        async def made():
            while True:
                yield "x" * 1000
                await asyncio.sleep(0)

        return StreamingResponse(made())

    app.state.pool = pool
    return app


@pytest.fixture
def web(replay, tracer):
    model, _ = replay("ollama-native/chat_stream")
    app = application(model.url, tracer)
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    [listener] = server.servers[0].sockets
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
        yield client
    server.should_exit = True
    thread.join(DEADLINE_S)
    app.state.pool.shutdown()


def until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


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
    assert web.get("/ask").text == " The capital of France is Paris."
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
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(done.status_code == 200 for done in pool.map(web.get, ["/threads"] * 8))
    found = []
    until(lambda: found.extend(tracer.finished()) or len(found) >= 32)
    traces = {}
    for record in found:
        traces.setdefault(record.trace_id, []).append(record.name)
    assert len(traces) == 8
    assert {tuple(sorted(names)) for names in traces.values()} == {
        ("GET /threads", "fan out", "one", "two")
    }


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
