"""However the reading of a response ends, its span ends once, with what was read."""

from __future__ import annotations

import asyncio
import gc

import openai
import pytest

from ollamatrace import TracedClient
from tests.clients.http_library import openai_http
from tests.clients.raw_reads import GIVEN, HELLO, READS, SSE, streaming, stubbed, text_of
from tests.clients.stubs import Stub, body, done, entered, items, step


@pytest.mark.parametrize("way_to_read", ["iter_bytes", "iter_text", "iter_lines", "parse"])
async def test_half_read(way_to_read, way, tracer):
    client = stubbed(body(*HELLO, kind=SSE), way, tracer)
    async with entered(streaming(client, **GIVEN, stream=True)) as response:
        await step(await done(getattr(response, way_to_read)()))
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "closed")
    assert text_of(record) == "Hel"
    assert record.timing.chunks == 1
    assert not record.warnings


async def test_half_of_a_whole_body(way, tracer):
    client = stubbed(body(b'{"id": ', b'"c"}'), way, tracer)
    async with entered(streaming(client, **GIVEN)) as response:
        await step(response.iter_bytes())
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "closed")
    assert record.outputs == '{"id": '


@pytest.mark.parametrize("kind", [SSE, "application/json"])
async def test_unread(kind, way, tracer):
    client = stubbed(reply := body(*HELLO, kind=kind), way, tracer)
    async with entered(streaming(client, **GIVEN, stream=kind == SSE)):
        pass
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "abandoned")
    assert record.outputs is None
    assert reply["stream"].closed


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
async def test_dropped(legacy, started, way, tracer):
    client = stubbed(body(*HELLO, kind=SSE), way, tracer)
    if legacy:
        response = await done(
            client.chat.completions.with_raw_response.create(**GIVEN, stream=True)
        )
    else:
        manager = streaming(client, **GIVEN, stream=True)
        enter = manager.__enter__ if way == "sync" else manager.__aenter__
        response = await done(enter())
        del manager, enter
    stream = None
    if started:
        stream = await done(response.parse())
        await step(stream)
    del response, stream
    gc.collect()
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "abandoned")
    assert (text_of(record) == "Hel") if started else (record.outputs is None)


@pytest.mark.parametrize("read", [*READS, "parse"])
async def test_an_error_while_reading(read, way, tracer):
    broken = openai_http.ReadError("gone")
    errors = []
    server = Stub([body(*HELLO, error=broken, kind=SSE)])
    bare = server.openai(way)
    for client in (bare, TracedClient(bare, tracer=tracer)):

        async def fail(client=client):
            async with entered(streaming(client, **GIVEN, stream=True)) as response:
                if read == "parse":
                    await items(await done(response.parse()))
                await done(READS[read](response))

        with pytest.raises((openai_http.ReadError, openai.APIConnectionError)) as caught:
            await fail()
        errors.append(caught.value)
    assert type(errors[1]) is type(errors[0])
    assert errors[1] is broken or errors[1].__cause__ is broken
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("ERROR", "error")
    assert text_of(record) == "Hello you"
    assert record.events[-1]["name"] == "exception"
    assert record.events[-1]["attributes"]["exception.type"].endswith(type(errors[0]).__name__)


@pytest.mark.parametrize("read", ["iter_bytes", "iter_lines", "parse", None])
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "CANCELLED", "cancelled"),
        (asyncio.CancelledError(), "CANCELLED", "cancelled"),
        (ZeroDivisionError(), "OK", "closed"),
    ],
    ids=["ctrl-c", "cancelled", "error"],
)
async def test_an_exception_in_the_body(error, status, reason, read, way, tracer):
    client = stubbed(body(*HELLO, kind=SSE), way, tracer)

    async def fail():
        async with entered(streaming(client, **GIVEN, stream=True)) as response:
            reading = await done(getattr(response, read)()) if read else None
            if read:
                await step(reading)
            raise error

    with pytest.raises(type(error)) as caught:
        await fail()
    assert caught.value is error
    [record] = tracer.finished()
    if status == "OK" and read is None:
        reason = "abandoned"
    assert (record.status, record.end_reason) == (status, reason)
    assert (text_of(record) == "Hel") if read else (record.outputs is None)


async def test_legacy_stream_closed_unread(way, tracer):
    client = stubbed(body(*HELLO, kind=SSE), way, tracer)
    response = await done(client.chat.completions.with_raw_response.create(**GIVEN, stream=True))
    await done((response.http_response.close if way == "sync" else response.http_response.aclose)())
    [record] = tracer.finished()
    assert record.end_reason == "abandoned"
    assert record.outputs is None


async def test_refused(way, tracer):
    reply = {**body(b'{"error": {"message": "No way"}}'), "status_code": 404}
    client = stubbed(reply, way, tracer)

    async def ask():
        async with entered(streaming(client, **GIVEN)):
            pass

    with pytest.raises(openai.NotFoundError, match="No way"):
        await ask()
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("ERROR", "error")
    assert record.outputs is None
