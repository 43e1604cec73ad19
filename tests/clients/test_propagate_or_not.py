"""Where requests do not name the span of their call, and what stays as it is where they do."""

from __future__ import annotations

import ollama
import pytest
from openai._models import FinalRequestOptions
from openai.types.chat import ChatCompletion

from ollamatrace import TracedClient, Tracer, current_span, extract
from ollamatrace.testing import MemoryTracer
from tests.clients.inprocess import ask, got, listed, positional, whole
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
from tests.clients.stubs import NOT_GIVEN, done, json_lines

THEIRS = f"00-{TRACE}-{SPAN}-01"


@openai_kinds
@pytest.mark.parametrize("name", ["traceparent", "TraceParent"])
@pytest.mark.parametrize("place", ["extra_headers", "default_headers", "http_client", "options"])
async def test_what_the_program_says_holds(place, name, kind, tracer):
    theirs = {name: THEIRS, "X-Mine": "1"}
    server, bare = stub_client(kind, **({place: theirs} if place == "default_headers" else {}))
    if place == "http_client":
        bare._client.headers.update(theirs)
    client = TracedClient(bare, tracer=tracer, propagate=True)
    if place == "options":
        client = client.with_options(default_headers=theirs)
    await got(ask(client)(**ASK, **({place: theirs} if place == "extra_headers" else {})))
    assert server.requests[0].headers.get_list("traceparent") == [THEIRS]
    assert server.requests[0].headers["x-mine"] == "1"
    assert len(tracer.finished()) == 1


@ollama_kinds
@pytest.mark.parametrize("name", ["traceparent", "TraceParent"])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_program_says_to_ollama_holds(stream, name, kind, tracer):
    server, bare = stub_client(kind, [json_lines(ANSWER)], headers={name: THEIRS})
    client = TracedClient(bare, tracer=tracer, propagate=True)
    answer = await got(client.chat(**ASK, stream=stream))
    if stream:
        await listed(answer)
    assert server.requests[0].headers.get_list("traceparent") == [THEIRS]
    assert len(tracer.finished()) == 1


@openai_kinds
@pytest.mark.parametrize(
    "theirs", [{"Tracestate": "congo=t61"}, {"traceparent": NOT_GIVEN[-1]}], ids=["state", "omit"]
)
async def test_half_of_what_can_be_said_holds_too(theirs, kind, tracer):
    server, bare = stub_client(kind)
    client = TracedClient(bare, tracer=tracer, propagate=True)
    await got(ask(client)(**ASK, extra_headers=theirs))
    assert sent(server) == [None]


@openai_kinds
async def test_other_headers_stay(kind, tracer):
    server, bare = stub_client(kind)
    client = TracedClient(bare, tracer=tracer, propagate=True)
    mine = {"X-Mine": "1"}
    await got(ask(client)(**ASK, extra_headers=mine))
    [record] = tracer.finished()
    assert mine == {"X-Mine": "1"}
    assert server.requests[0].headers["x-mine"] == "1"
    assert sent(server) == [naming(record)]


@all_kinds
async def test_only_if_it_is_wanted(kind, tracer):
    server, bare = stub_client(kind)
    await got(ask(TracedClient(bare, tracer=tracer))(**ASK))
    assert sent(server) == [None]
    assert len(tracer.finished()) == 1


@all_kinds
async def test_only_where_it_is_recorded(kind, tracer, monkeypatch):
    server, bare = stub_client(kind)
    client = TracedClient(bare, tracer=tracer, propagate=True)
    with extract({"traceparent": THEIRS}), tracer.suppressed():
        await got(ask(client)(**ASK))
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    with Tracer() as disabled:
        await got(ask(TracedClient(bare, tracer=disabled, propagate=True))(**ASK))
    assert sent(server) == [None] * 2
    assert tracer.finished() == []


@all_kinds
async def test_only_in_requests_that_are_traced(kind, tracer):
    server, bare = stub_client(kind, [{"data": [], "object": "list", "models": []}])
    client = TracedClient(bare, tracer=tracer, propagate=True)
    with tracer.span("around"):
        await done((client.models if kind.endswith("OpenAI") else client).list())
    assert sent(server) == [None]


@openai_kinds
@pytest.mark.parametrize("by_name", [False, True])
async def test_the_programs_own_options_stay_as_they_are(by_name, kind, tracer):
    server, bare = stub_client(kind)
    client = TracedClient(bare, tracer=tracer, propagate=True)
    options = FinalRequestOptions.construct(
        method="post", url="/chat/completions", json_data=ASK, headers={"X-Mine": "1"}
    )
    for _ in range(2):
        if by_name:
            await got(client.request(cast_to=ChatCompletion, options=options))
        else:
            await got(client.request(ChatCompletion, options))
    with tracer.suppressed():
        await got(client.request(ChatCompletion, options))
    assert options.headers == {"X-Mine": "1"}
    assert sent(server) == [*map(naming, tracer.finished()), None]


@all_kinds
async def test_the_callers_client_stays_as_it_is(kind, tracer):
    server, bare = stub_client(kind)
    before = dict(vars(bare))
    twin = TracedClient(bare, tracer=tracer, propagate=True)
    await got(ask(twin)(**ASK))
    assert {name: value for name, value in vars(bare).items() if name in before} == before
    assert dir(twin) == dir(bare)
    await got(ask(bare)(**ASK))
    [record] = tracer.finished()
    assert sent(server) == [naming(record), None]


@all_kinds
@pytest.mark.parametrize(
    "made",
    [
        lambda bare, tracer: TracedClient(TracedClient(bare, tracer=tracer), propagate=True),
        lambda bare, tracer: TracedClient(
            TracedClient(bare, propagate=True), tracer=tracer, name="mine"
        ),
        lambda bare, tracer: TracedClient(TracedClient(bare, tracer=tracer, propagate=True)),
    ],
    ids=["said anew", "said before", "once more"],
)
async def test_twins_of_twins(made, kind, tracer):
    server, bare = stub_client(kind)
    with MemoryTracer() as other:
        await got(ask(made(bare, tracer))(**ASK))
        assert other.finished() == []
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]


@openai_kinds
@pytest.mark.parametrize(
    "copied",
    [
        lambda client: client.copy(),
        lambda client: client.with_options(timeout=9).copy(),
        lambda client: TracedClient(client.copy(), name="mine"),
    ],
    ids=["copy", "with_options", "copy, wrapped again"],
)
async def test_copies(copied, kind, tracer):
    server, bare = stub_client(kind)
    client = copied(TracedClient(bare, tracer=tracer, propagate=True))
    await got(ask(client)(**ASK))
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]


def breaking(monkeypatch, error, name="said_of"):
    def broken(*args):
        raise error("a failure of ollamatrace itself")

    monkeypatch.setattr(f"ollamatrace.clients.headers.{name}", broken)


@all_kinds
@pytest.mark.parametrize("scenario", [whole, positional])
async def test_a_failure_of_ours_is_none_of_the_programs(
    scenario, kind, tracer, monkeypatch, caplog
):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    breaking(monkeypatch, ValueError)
    server, bare = stub_client(kind)
    expected = await scenario(bare)
    assert await scenario(TracedClient(bare, tracer=tracer, propagate=True)) == expected
    assert current_span() is None
    assert sent(server) == [None, None]
    assert "the program goes on" in caplog.text
    assert len(tracer.finished()) == 1


@ollama_kinds
async def test_a_failure_of_ours_while_the_twin_is_made(kind, tracer, monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    breaking(monkeypatch, ValueError, "named_on_class")
    server, bare = stub_client(kind)
    await whole(TracedClient(bare, tracer=tracer, propagate=True))
    assert sent(server) == [None]
    assert "the program goes on" in caplog.text
    assert len(tracer.finished()) == 1


@pytest.mark.parametrize("kind", ["OpenAI", "Client"])
@pytest.mark.parametrize("scenario", [whole, positional])
async def test_ctrl_c_reaches_the_program(scenario, kind, tracer, monkeypatch):
    breaking(monkeypatch, KeyboardInterrupt)
    server, bare = stub_client(kind)
    with pytest.raises(KeyboardInterrupt):
        await scenario(TracedClient(bare, tracer=tracer, propagate=True))
    assert current_span() is None
    assert server.requests == []
    [record] = tracer.finished()
    assert record.end_reason == "cancelled"


async def test_a_request_inside_of_a_call_of_another_client(tracer):
    """It is not traced, and not the call's own."""
    native, inner = stub_client("Client", [{"models": []}])
    inside = TracedClient(inner, tracer=tracer, propagate=True)
    server, bare = stub_client("OpenAI")
    bare._client.event_hooks = {"request": [lambda _request: inside.list()]}
    await whole(TracedClient(bare, tracer=tracer, propagate=True))
    [record] = tracer.finished()
    assert sent(server) == [naming(record)]
    assert sent(native) == [None]


class Adding(ollama.Client):
    """Adds headers to what it sends, by the SDK's own means."""

    def chat(self, model, messages, headers):
        asked = {"model": model, "messages": messages}
        return self._request(ollama.ChatResponse, "POST", "/api/chat", json=asked, headers=headers)


def test_headers_of_a_subclass_stay(tracer):
    server, bare = stub_client("Client")
    bare.__class__ = Adding
    client = TracedClient(bare, tracer=tracer, propagate=True)
    client.chat(**ASK, headers={"X-Mine": "1"})
    client.chat(**ASK, headers={"Traceparent": THEIRS})
    first, _ = tracer.finished()
    assert server.requests[0].headers["x-mine"] == "1"
    assert sent(server) == [naming(first), THEIRS]


class Sending(ollama.Client):
    """Sends requests its own way; with another `headers` it would fail."""

    def _request(self, cls, *args, stream=False, **kwargs):
        mine = {"X-Mine": "1"}
        return super()._request(cls, *args, stream=stream, headers=mine, **kwargs)


def older(self, *args, **kwargs):
    """As before ollama 0.4, where streams went another way."""
    return self._client.request(*args, **kwargs)


@pytest.mark.parametrize("request_of_sdk", [older, None])
def test_an_older_ollama(request_of_sdk, tracer, caplog, monkeypatch):
    older.__module__ = ollama.Client.__module__
    monkeypatch.setattr(ollama.Client, "_request", request_of_sdk)
    _, bare = stub_client("Client")
    twin = TracedClient(bare, tracer=tracer, propagate=True)
    assert "_request" not in vars(twin)
    [told] = [record.getMessage() for record in caplog.records]
    assert "propagate=True" in told
    assert "ollama 0.4" in told


def test_an_ollama_client_that_sends_its_own_way(tracer, caplog):
    server, bare = stub_client("Client")
    bare.__class__ = Sending
    client = TracedClient(bare, tracer=tracer, propagate=True)
    assert client.chat(**ASK).message.content == "Hello"
    assert sent(server) == [None]
    assert server.requests[0].headers["x-mine"] == "1"
    assert len(tracer.finished()) == 1
    [told] = [record.getMessage() for record in caplog.records]
    assert "_request of its own" in told


def test_what_a_test_puts_in_the_place_of_sending_is_called_as_ever(tracer, monkeypatch):
    server, bare = stub_client("Client")
    client = TracedClient(bare, tracer=tracer, propagate=True)

    def fake(self, cls, method, path, *, json, stream):
        return cls(**ANSWER)

    monkeypatch.setattr(ollama.Client, "_request", fake)
    assert client.chat(**ASK).message.content == "Hello"
    assert server.requests == []
    assert len(tracer.finished()) == 1
