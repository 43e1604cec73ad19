"""Traced clients against recorded servers."""

from __future__ import annotations

import contextlib

import ollama
import openai
import pytest

from ollamatrace import TracedClient
from ollamatrace.cli.replay import ReplayServer
from tests.clients.stubs import openai_clients


@pytest.fixture(params=["sync", "async"])
def way(request):
    """The synchronous clients, and the asynchronous ones."""
    return request.param


@pytest.fixture
async def pair(way, replay, tracer):
    """A bare client and a traced one, each on its own recording; and what the latter's received."""
    async with openai_clients(way) as make:

        async def start(name):
            servers = [replay(f"ollama-v1/{name}")[0] for _ in range(2)]
            bare, other = [await make(server.url) for server in servers]
            return bare, TracedClient(other, tracer=tracer), servers[1]

        yield start


@pytest.fixture
def openai_client(replay):
    """A bare `openai.OpenAI` on a recording, by the recording's name."""
    opened = []

    def make(name, kind=openai.OpenAI, pace=0.0, **options):
        server, _ = replay(name, pace)
        client = kind(
            base_url=server.url + "/v1", api_key="sk-secret", max_retries=0, timeout=20, **options
        )
        if isinstance(client, openai.OpenAI):
            opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def ollama_client(replay):
    """A bare `ollama.Client` on a recording, by the recording's name."""
    opened = []

    def make(name, kind=ollama.Client, pace=0.0):
        server, _ = replay(name, pace)
        client = kind(host=server.url, timeout=20)
        if kind is ollama.Client:
            opened.append(client)
        return client

    yield make
    for client in opened:
        client._client.close()


@pytest.fixture
def lines_server():
    """A server that streams these lines to any chat."""
    with contextlib.ExitStack() as stack:

        def start(path, lines):
            exchange = {
                "request": {"line": f"POST {path} HTTP/1.1", "headers": [], "body": None},
                "response": {
                    "line": "HTTP/1.1 200 OK",
                    "headers": [["Content-Type", "text/event-stream"]],
                    "framing": "chunked",
                    "headers_at_ms": 0,
                    "end_ms": 0,
                    "chunks": [{"t_ms": 0, "text": line} for line in lines],
                },
            }
            return stack.enter_context(ReplayServer([exchange], pace=0))

        yield start


@pytest.fixture
def openai_lines(lines_server):
    with contextlib.ExitStack() as stack:

        def start(lines):
            url = lines_server("/v1/chat/completions", lines).url + "/v1"
            return stack.enter_context(openai.OpenAI(base_url=url, api_key="x"))

        yield start


@pytest.fixture
def replay_lines(lines_server):
    with contextlib.ExitStack() as stack:

        def start(lines):
            client = ollama.Client(host=lines_server("/api/chat", lines).url)
            stack.enter_context(client._client)
            return client

        yield start
