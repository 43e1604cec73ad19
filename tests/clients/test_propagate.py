"""Requests that name the span of their call, for a gateway that goes on with the trace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys

import openai
import pytest

from ollamatrace import TracedClient, Tracer, extract, sync
from ollamatrace.cli.replay import ReplayServer
from tests.clients import inprocess
from tests.clients.endpoints_stub import BY_PATH, COMPLETION, RESPONSE
from tests.clients.inprocess import KINDS, ask, close, got, listed, step
from tests.clients.naming import (
    ANSWER,
    ASK,
    SPAN,
    TRACE,
    all_kinds,
    naming,
    ollama_kinds,
    openai_kinds,
    sent,
    stub_client,
)
from tests.clients.stubs import Stub, done, entered, find, items
from tests.exchanges import load

EMBEDDING = {"data": [{"embedding": [1.0], "index": 0}], "model": "e"}
DEADLINE_S = 60


async def helper(client):
    async with entered(client.chat.completions.stream(**ASK)) as stream:
        return [event.type for event in await items(stream)]


async def parsed(client):
    return await done(client.beta.chat.completions.parse(**ASK))


WHOLE = ["whole", "positional"]
STREAMS = ["read_to_the_end", "left_early", "left_by_an_error"]
WAYS = [(kind, name, "chat") for kind in KINDS for name in WHOLE]
WAYS += [(kind, name, "chat_stream") for kind in KINDS for name in STREAMS]
for openai_kind in ("OpenAI", "AsyncOpenAI"):
    WAYS += [
        (openai_kind, name, "chat")
        for name in ("raw", "body_as_lines", "body_parsed", "copied", "parsed")
    ]
    WAYS += [
        (openai_kind, name, "chat_stream")
        for name in ("raw_stream", "stream_of_body", "body_left", "helper")
    ]


@pytest.fixture
async def client_of():
    """Makes bare clients of all four kinds for the address of a server, and closes them."""
    made = []

    def make(kind, url, **options):
        if kind.endswith("OpenAI"):
            options = {"base_url": url + "/v1", "api_key": "x", "max_retries": 0, **options}
        else:
            options["host"] = url
        made.append(KINDS[kind](timeout=DEADLINE_S, **options))
        return made[-1]

    yield make
    for client in made:
        await close(client._client)


def recording(kind, name):
    return f"ollama-{'v1' if kind.endswith('OpenAI') else 'native'}/{name}"


@pytest.mark.parametrize(("kind", "way", "name"), WAYS)
async def test_each_way_to_call(kind, way, name, replay, client_of, tracer):
    scenario = {"helper": helper, "parsed": parsed}.get(way) or getattr(inprocess, way)
    server, _ = replay(recording(kind, name))
    client = TracedClient(client_of(kind, server.url), tracer=tracer, propagate=True)
    try:
        await scenario(client)
    except KeyError:
        assert way == "left_by_an_error"
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]
    assert "tracestate" not in server.requests[0].headers
    assert "traceparent" not in record.line().decode()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("method", "given", "reply"),
    [
        ("completions.create", {"model": "m", "prompt": "Hi"}, COMPLETION),
        (
            "embeddings.create",
            {"model": "m", "input": "Hi", "encoding_format": "float"},
            EMBEDDING,
        ),
        ("responses.create", {"model": "m", "input": "Hi"}, RESPONSE),
        ("responses.retrieve", {"response_id": "r"}, RESPONSE),
        *((method, one.given, one.reply) for method, one in BY_PATH.items()),
    ],
)
async def test_each_method_of_openai(method, given, reply, way, tracer):
    server = Stub([reply])
    client = TracedClient(server.openai(way), tracer=tracer, propagate=True)
    await done(find(client, method)(**given))
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]


@ollama_kinds
@pytest.mark.parametrize(
    ("method", "given", "reply"),
    [
        ("generate", {"model": "m", "prompt": "Hi"}, {"response": "Hello"}),
        ("embed", {"model": "m", "input": "Hi"}, {"embeddings": [[1.0]]}),
        ("pull", {"model": "m"}, {"status": "success"}),
        ("web_search", {"query": "sky"}, {"results": []}),
    ],
)
async def test_methods_of_ollama(method, given, reply, kind, tracer):
    server, bare = stub_client(kind, [reply], headers={"authorization": "Bearer x"})
    await done(getattr(TracedClient(bare, tracer=tracer, propagate=True), method)(**given))
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]


@pytest.mark.parametrize("kind", [openai.AzureOpenAI, openai.AsyncAzureOpenAI])
async def test_azure(kind, tracer):
    server = Stub([COMPLETION])
    way = "async" if kind is openai.AsyncAzureOpenAI else "sync"
    bare = server.openai(way, kind=kind, api_version="1", azure_endpoint="http://stub")
    client = TracedClient(bare, tracer=tracer, propagate=True)
    await done(client.chat.completions.create(**ASK))
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]
    assert "/deployments/m/" in str(server.requests[0].url)


@all_kinds
async def test_flags_and_state_of_the_trace_are_passed_on(kind, replay, client_of, tracer):
    server, _ = replay(recording(kind, "chat"))
    client = TracedClient(client_of(kind, server.url), tracer=tracer, propagate=True)
    came = {"traceparent": f"00-{TRACE}-{SPAN}-03", "tracestate": "congo=t61,rojo=1"}
    with extract(came):
        await got(ask(client)(**ASK))
    [record] = tracer.finished()
    assert (record.trace_id, record.parent_id) == (TRACE, SPAN)
    assert sent(server) == [naming(record, "03")]
    assert server.requests[0].headers["tracestate"] == came["tracestate"]


def asking(number):
    return {"model": "m", "messages": [{"role": "user", "content": str(number)}]}


def check_each_has_its_own(server, tracer, count):
    expected = {one.inputs["messages"][0]["content"]: naming(one) for one in tracer.finished()}
    assert len(set(expected.values())) == count
    assert {
        request.json["messages"][0]["content"]: request.headers["traceparent"]
        for request in server.requests
    } == expected


@all_kinds
async def test_streams_read_in_turns(kind, client_of, tracer):
    exchanges = load(recording(kind, "chat_stream"))["exchanges"]
    with ReplayServer(exchanges * 2, pace=0) as server:
        client = TracedClient(client_of(kind, server.url), tracer=tracer, propagate=True)
        streams = [await got(ask(client)(**asking(number), stream=True)) for number in range(2)]
        for stream in (*streams[::-1], *streams):  # Ollama's are sent now
            await step(stream)
        for stream in streams:
            await listed(stream)
        check_each_has_its_own(server, tracer, 2)


@all_kinds
async def test_calls_at_once(kind, client_of, tracer):
    exchanges = load(recording(kind, "chat"))["exchanges"]
    with ReplayServer(exchanges * 8, pace=0) as server:
        client = TracedClient(client_of(kind, server.url), tracer=tracer, propagate=True)
        create = ask(client)
        if kind.startswith("Async"):
            await asyncio.gather(*(create(**asking(number)) for number in range(8)))
        else:
            await asyncio.gather(
                *(asyncio.to_thread(create, **asking(number)) for number in range(8))
            )
        check_each_has_its_own(server, tracer, 8)


@openai_kinds
async def test_a_retry_names_the_same_span(kind, client_of, tracer):
    [exchange] = load("ollama-v1/chat")["exchanges"]
    busy = {
        "line": "HTTP/1.1 500 Internal Server Error",
        "headers": [["Retry-After-Ms", "1"]],
        "framing": "chunked",
        "headers_at_ms": 0,
        "end_ms": 0,
        "chunks": [],
    }
    with ReplayServer([{**exchange, "response": busy}, exchange], pace=0) as server:
        bare = client_of(kind, server.url, max_retries=1)
        client = TracedClient(bare, tracer=tracer, propagate=True)
        await got(ask(client)(**ASK))
        [record] = tracer.finished()
        assert record.status == "OK"
        assert sent(server) == [naming(record)] * 2
        assert server.requests[1].headers["x-stainless-retry-count"] == "1"


@openai_kinds
async def test_a_request_inside_of_another_names_its_own(kind, tracer):
    """Such as a model that is asked, by the same client, while a request is put together."""
    server, bare = stub_client(kind)
    asked, way = [], "async" if kind.startswith("Async") else "sync"

    def inside():
        asked.append(1)
        return client.embeddings.create(model="e", input="Hi", encoding_format="float")

    def hook(request):
        if not asked:
            inside()

    async def ahook(request):
        if not asked:
            await inside()

    bare._client.event_hooks = {"request": [ahook if way == "async" else hook]}
    server.replies = [EMBEDDING, COMPLETION]
    client = TracedClient(bare, tracer=tracer, propagate=True)
    await got(ask(client)(**ASK))
    inner, outer = tracer.finished()
    assert inner.parent_id == outer.span_id
    assert sent(server) == [naming(inner), naming(outer)]


GATEWAY = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from ollamatrace import Tracer, extract

class Gateway(BaseHTTPRequestHandler):
    def do_POST(self):
        with extract(self.headers), tracer.span("gateway"):
            self.rfile.read(int(self.headers["Content-Length"]))
        body = sys.argv[2].encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass

with Tracer(sys.argv[1]) as tracer, HTTPServer(("127.0.0.1", 0), Gateway) as server:
    print(server.server_port, flush=True)
    server.handle_request()
"""


@pytest.fixture
def gateway():
    """Starts a gateway that answers one request in another process; gives its address."""
    with contextlib.ExitStack() as stack:

        def start(store, answer):
            command = [sys.executable, "-c", GATEWAY, store, json.dumps(answer)]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return process, f"http://127.0.0.1:{int(process.stdout.readline())}"

        yield start


@all_kinds
async def test_a_gateway_in_another_process_goes_on_with_the_trace(
    kind, gateway, tmp_path, client_of
):
    store = f"sqlite:///{tmp_path}/x.db"
    process, url = gateway(store, COMPLETION if kind.endswith("OpenAI") else ANSWER)
    with Tracer(store) as tracer:
        client = TracedClient(client_of(kind, url), tracer=tracer, propagate=True)
        with tracer.span("program") as program:
            await got(ask(client)(**ASK))
        assert process.wait(DEADLINE_S) == 0
        tracer.flush()
        spans = sync.get_trace(program.trace_id).spans
    names = {one.span_id: one.name for one in spans}
    call = ("Async" if kind.startswith("Async") else "") + (
        "Completions" if kind.endswith("OpenAI") else "Chat"
    )
    assert {(one.name, names.get(one.parent_id)) for one in spans} == {
        ("program", None),
        (call, "program"),
        ("gateway", call),
    }
