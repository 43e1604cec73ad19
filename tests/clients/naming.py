"""Clients whose requests name the spans of their calls, and what a server gets to see of it."""

from __future__ import annotations

import pytest

from tests.clients.endpoints_stub import COMPLETION, MESSAGES
from tests.clients.inprocess import KINDS
from tests.clients.stubs import Stub

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASK = {"model": "m", "messages": MESSAGES}
ANSWER = {"model": "m", "message": {"role": "assistant", "content": "Hello"}, "done": True}

all_kinds = pytest.mark.parametrize("kind", KINDS)
openai_kinds = pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI"])
ollama_kinds = pytest.mark.parametrize("kind", ["Client", "AsyncClient"])


def stub_client(kind, replies=None, **options):
    """A server in this process, and a bare client of it."""
    way = "async" if kind.startswith("Async") else "sync"
    if kind.endswith("OpenAI"):
        server = Stub(replies or [COMPLETION])
        return server, server.openai(way, **options)
    server = Stub(replies or [ANSWER])
    return server, server.ollama(way, **options)


def naming(record, flags="01"):
    """The header that names the span of a record."""
    return f"00-{record.trace_id}-{record.span_id}-{flags}"


def sent(server):
    """The header of each request that came in."""
    return [request.headers.get("traceparent") for request in server.requests]
