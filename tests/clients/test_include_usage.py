"""Token counts that the program did not ask for: it does not get them, the record does."""

from __future__ import annotations

import pytest

from ollamatrace import TracedClient
from ollamatrace.testing import MemoryTracer
from tests.clients.endpoints_stub import COMPLETION, MESSAGES
from tests.clients.stubs import (
    NOT_GIVEN,
    Stub,
    done,
    entered,
    event_stream,
    find,
    items,
    openai_clients,
)
from tests.exchanges import arguments, load


def given_in(name):
    return arguments(load(name)["exchanges"][0])


RECORDED = {
    "ollama-v1/chat_stream_usage": "chat.completions.create",
    "llamacpp-v1/chat_stream_usage": "chat.completions.create",
    "ollama-v1/completions_stream": "completions.create",
    "llamacpp-v1/completions_stream": "completions.create",
}


@pytest.fixture
async def clients(way, replay, tracer):
    """A bare client, a traced one that asks for counts, and the server of both."""
    async with openai_clients(way) as make:

        async def start(name):
            server, _ = replay(name)
            bare = await make(server.url)
            return bare, TracedClient(bare, tracer=tracer, include_usage=True), server

        yield start


def chunk(text=None, usage=None):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    choices = [] if text is None else [choice]
    return {"id": "c", "object": "chat.completion.chunk", "choices": choices, "usage": usage}


USAGE = COMPLETION["usage"]
PLAIN = event_stream(chunk("Hel"), chunk("lo"))
COUNTED = event_stream(chunk("Hel"), chunk("lo"), chunk(usage=USAGE))


@pytest.mark.parametrize(("name", "method"), RECORDED.items())
async def test_the_program_gets_all_but_the_counts(name, method, way, clients, tracer):
    bare, traced, server = await clients(name)
    given = given_in(name)
    counted = await items(await done(find(bare, method)(**given)))
    asked = {key: value for key, value in given.items() if key != "stream_options"}
    got = await items(await done(find(traced, method)(**asked)))
    assert got == [one for one in counted if one.choices]
    rides_along = bool(counted[-1].choices)  # llama.cpp puts counts beside the last text
    assert len(got) == len(counted) - (not rides_along)
    assert server.requests[-1].json == given
    [record] = tracer.finished()
    assert record.inputs == given
    assert dict(record.usage)["total_tokens"] == counted[-1].usage.total_tokens
    assert record.timing.chunks == len(counted)
    assert record.end_reason == "exhausted"


@pytest.mark.parametrize("server", ["ollama-v1", "llamacpp-v1"])
async def test_as_without_asking(server, clients, tracer):
    """The chunks are those of the recording without counts, but for ids and times."""
    bare, *_ = await clients(f"{server}/chat_stream")
    _, traced, _ = await clients(f"{server}/chat_stream_usage")
    given = given_in(f"{server}/chat_stream")
    texts = []
    for client in (bare, traced):
        got = await items(await done(client.chat.completions.create(**given)))
        texts.append([[c.model_dump() for c in one.choices] for one in got])
        assert all(one.usage is None for one in got)
    assert texts[1] == texts[0]
    [record] = tracer.finished()
    assert record.usage.total_tokens == 21


@pytest.mark.parametrize("server", ["ollama-v1", "llamacpp-v1"])
async def test_helper(server, clients, tracer):
    bare, *_ = await clients(f"{server}/chat_stream")
    _, traced, received = await clients(f"{server}/chat_stream_usage")
    given = given_in(f"{server}/chat_stream")
    del given["stream"]
    got = []
    for client in (bare, traced):
        async with entered(client.chat.completions.stream(**given)) as stream:
            kinds = [event.type for event in await items(stream)]
            final = await done(stream.get_final_completion())
            got.append((kinds, final.choices[0].message.content, final.usage))
    assert got[1] == got[0]
    assert received.requests[-1].json["stream_options"] == {"include_usage": True}
    [record] = tracer.finished()
    assert record.usage.total_tokens == 21


@pytest.mark.parametrize(
    ("options", "reply", "chunks"),
    [
        ({"include_usage": True}, COUNTED, 3),
        ({"include_usage": False}, PLAIN, 2),
        ({"include_usage": False}, COUNTED, 3),
    ],
)
async def test_what_the_program_says_about_it_holds(options, reply, chunks, way, tracer):
    server = Stub([reply])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    stream = await done(
        client.chat.completions.create(
            model="m", messages=MESSAGES, stream=True, stream_options=options
        )
    )
    assert len(await items(stream)) == chunks
    assert server.sent["stream_options"] == options
    [record] = tracer.finished()
    assert record.inputs["stream_options"] == options
    assert (record.usage is not None) == (reply is COUNTED)


@pytest.mark.parametrize("nothing", [None, *NOT_GIVEN])
async def test_options_that_say_nothing(nothing, way, tracer):
    server = Stub([COUNTED])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    given = {"model": "m", "messages": MESSAGES, "stream": True, "stream_options": nothing}
    assert len(await items(await done(client.chat.completions.create(**given)))) == 2
    assert server.sent["stream_options"] == {"include_usage": True}
    [record] = tracer.finished()
    assert record.usage.total_tokens == 5


async def test_odd_chunks_are_not_hidden(way, tracer):
    server = Stub([event_stream("text", [1], {"choices": None}, {"usage": None})])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    given = {"model": "m", "messages": MESSAGES, "stream": True}
    assert len(await items(await done(client.chat.completions.create(**given)))) == 4
    assert len(tracer.finished()) == 1


async def test_other_options_stay(way, tracer):
    server = Stub([COUNTED])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    options = {"include_obfuscation": False}
    given = {"model": "m", "messages": MESSAGES, "stream": True, "stream_options": options}
    stream = await done(client.chat.completions.create(**given))
    assert len(await items(stream)) == 2
    assert server.sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert options == {"include_obfuscation": False}
    [record] = tracer.finished()
    assert record.usage.total_tokens == 5


@pytest.mark.parametrize("raw", ["with_raw_response", "with_streaming_response"])
async def test_nothing_is_asked_where_the_program_reads_the_response(raw, way, tracer):
    server = Stub([COUNTED])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    create = getattr(client.chat.completions, raw).create
    made = create(model="m", messages=MESSAGES, stream=True)
    if raw == "with_raw_response":
        stream = (await done(made)).parse()
        assert len(await items(stream)) == 3
    else:
        async with entered(made) as response:
            assert len(await items(await done(response.parse()))) == 3
    assert "stream_options" not in server.sent
    [record] = tracer.finished()
    assert record.usage.total_tokens == 5  # this server counts by itself


@pytest.mark.parametrize("given", [{}, {"stream": False}])
async def test_nothing_is_asked_without_a_stream(given, way, tracer):
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    await done(client.chat.completions.create(model="m", messages=MESSAGES, **given))
    assert server.sent == {"model": "m", "messages": MESSAGES, **given}
    [record] = tracer.finished()
    assert record.inputs == server.sent


async def test_responses_are_not_asked(way, tracer):
    server = Stub([event_stream(done=False)])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    await items(await done(client.responses.create(model="m", input="Hi", stream=True)))
    assert "stream_options" not in server.sent


async def test_without_the_flag_nothing_is_asked(way, tracer):
    server = Stub([PLAIN])
    client = TracedClient(server.openai(way), tracer=tracer)
    given = {"model": "m", "messages": MESSAGES, "stream": True}
    stream = await done(client.chat.completions.create(**given))
    assert len(await items(stream)) == 2
    assert server.sent == given
    [record] = tracer.finished()
    assert record.usage is None
    assert record.timing.chunks == 2


@pytest.mark.parametrize(
    "made",
    [
        lambda bare, tracer: TracedClient(
            TracedClient(bare, tracer=tracer), tracer=tracer, include_usage=True
        ),
        lambda bare, tracer: TracedClient(TracedClient(bare, tracer=tracer, include_usage=True)),
        lambda bare, tracer: TracedClient(bare, tracer=tracer, include_usage=True).with_options(
            timeout=9
        ),
        lambda bare, tracer: TracedClient(bare, tracer=tracer, include_usage=True).copy().copy(),
    ],
    ids=["twin of a twin", "once more", "with_options", "copies"],
)
async def test_twins_and_copies_ask_too(made, way, tracer):
    server = Stub([COUNTED])
    client = made(server.openai(way), tracer)
    stream = await done(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert len(await items(stream)) == 2
    assert server.sent["stream_options"] == {"include_usage": True}
    [record] = tracer.finished()
    assert record.usage.total_tokens == 5


async def test_a_stream_left_early_is_as_always(way, tracer):
    server = Stub([COUNTED])
    client = TracedClient(server.openai(way), tracer=tracer, include_usage=True)
    given = {"model": "m", "messages": MESSAGES, "stream": True}
    async with entered(await done(client.chat.completions.create(**given))):
        pass
    [record] = tracer.finished()
    assert record.end_reason == "closed"
    assert record.usage is None


async def test_a_twin_that_asks_keeps_the_tracer_and_the_name(way, tracer):
    server = Stub([COUNTED])
    with MemoryTracer() as mine:
        once = TracedClient(server.openai(way), tracer=mine, name="mine")
        client = TracedClient(once, include_usage=True)
        given = {"model": "m", "messages": MESSAGES, "stream": True}
        await items(await done(client.chat.completions.create(**given)))
        assert tracer.finished() == []
        [record] = mine.finished()
    assert record.name == "mine"
    assert record.usage.total_tokens == 5
