"""A web application with what applications have, on a real server."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time

import httpx
import ollama
import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

from ollamatrace import TracedClient, copy_context_executor
from ollamatrace.middleware import TraceMiddleware
from tests.exchanges import arguments, load

STREAM = arguments(load("ollama-native/chat_stream")["exchanges"][0])
ANSWER = " The capital of France is Paris."
AGENT = {  # its spans, with what each is below
    "agent": "GET /agent",
    "plan": "agent",
    "look up one": "plan",
    "look up two": "plan",
    "AsyncChat": "agent",
    "in the background": "GET /agent",
    "GET /agent": None,
}
DEADLINE_S = 20


def application(model, tracer):  # noqa: C901  one endpoint after the other
    """Streams, background tasks and pools of threads; `model` is the address of Ollama."""
    pool = copy_context_executor(concurrent.futures.ThreadPoolExecutor(2))

    @contextlib.asynccontextmanager
    async def lifespan(_app):
        with pool:
            yield

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(TraceMiddleware, tracer=tracer)

    def note(what):
        with tracer.span(what):
            pass

    def look_up(what):
        with tracer.span(f"look up {what}", kind="RETRIEVER") as found:
            found.inputs = what
            found.outputs = [{"page_content": f"fact {what}"}]
            return found.outputs

    async def words():
        client = TracedClient(ollama.AsyncClient(host=model), tracer=tracer)
        async for chunk in await client.chat(**STREAM):
            yield chunk.message.content
        await client._client.aclose()

    @app.get("/ask")
    async def ask(background: BackgroundTasks) -> StreamingResponse:
        async def answer():
            with tracer.span("answer"):
                async for word in words():
                    yield word

        background.add_task(note, "in the background")
        return StreamingResponse(answer(), background=background)

    @tracer.trace(name="agent", kind="AGENT")
    async def agent(question):
        loop = asyncio.get_running_loop()
        with tracer.span("plan", kind="CHAIN") as plan:
            plan.inputs = question
            facts = ("one", "two")
            plan.outputs = await asyncio.gather(
                *(loop.run_in_executor(pool, look_up, fact) for fact in facts)
            )
        async for word in words():
            yield word

    @app.get("/agent")
    async def agent_endpoint(background: BackgroundTasks) -> StreamingResponse:
        background.add_task(note, "in the background")
        return StreamingResponse(agent("What is the capital of France?"), background=background)

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

    return app


@contextlib.contextmanager
def served(app):
    """A client of `app` on a server of its own."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        [listener] = server.servers[0].sockets
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=DEADLINE_S, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)


def until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def ask_at_once(web, path, times):
    """What as many requests of `path` are answered, all of them sent at the same time."""
    with concurrent.futures.ThreadPoolExecutor(times) as pool:
        return [response.text for response in pool.map(web.get, [path] * times)]
