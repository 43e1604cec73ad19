"""However a stream ends, its span ends once, with what was seen so far."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import gc
import inspect
import threading
import types

import ollama
import openai
import pytest

from ollamatrace import Delivery, TracedClient, Tracer, current_span, span
from tests.exchanges import arguments, load

V1 = arguments(load("ollama-v1/chat_stream")["exchanges"][0])
NATIVE = arguments(load("ollama-native/chat_stream")["exchanges"][0])
TEXT = " The capital of France is Paris."


@pytest.fixture(params=["openai", "ollama"])
def stream(request, openai_client, ollama_client, tracer):
    """Make a traced stream with either SDK; `text` gives the answer that a record holds."""

    def make(pace=0.0):
        if request.param == "openai":
            client = TracedClient(openai_client("ollama-v1/chat_stream", pace=pace), tracer=tracer)
            return client.chat.completions.create(**V1)
        client = TracedClient(ollama_client("ollama-native/chat_stream", pace=pace), tracer=tracer)
        return client.chat(**NATIVE)

    return make


@pytest.fixture(params=["openai", "ollama"])
async def astream(request, openai_client, ollama_client, tracer):
    opened = []

    async def make(pace=0.0):
        if request.param == "openai":
            bare = openai_client("ollama-v1/chat_stream", openai.AsyncOpenAI, pace)
            opened.append(bare._client)
            return await TracedClient(bare, tracer=tracer).chat.completions.create(**V1)
        bare = ollama_client("ollama-native/chat_stream", ollama.AsyncClient, pace)
        opened.append(bare._client)
        return await TracedClient(bare, tracer=tracer).chat(**NATIVE)

    yield make
    for client in opened:
        await client.aclose()


def text(record):
    if record.outputs is None:
        return ""
    outputs = record.outputs
    message = outputs["choices"][0]["message"] if "choices" in outputs else outputs["message"]
    return message["content"]


def raise_after(_chunk, error):
    raise error


def test_exhausted(stream, tracer):
    with span("agent") as agent:
        stream_of_agent = stream()
    for _ in stream_of_agent:
        assert current_span() is None
    assert list(stream_of_agent) == []
    outer, record = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "exhausted")
    assert text(record) == TEXT
    assert record.parent_id == outer.span_id == agent.span_id


def test_break_then_collected(stream, tracer):
    for _ in stream():
        break
    gc.collect()
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "abandoned")
    assert record.timing.chunks == 1
    assert text(record) == " The"


def test_never_read(stream, tracer):
    stream()
    gc.collect()
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "abandoned")
    assert record.timing.chunks == 0
    assert record.outputs is None


def test_closed_from_another_thread(stream, tracer):
    made = stream()
    next(made)
    thread = threading.Thread(target=made.close)
    thread.start()
    thread.join()
    made.close()
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "closed")
    assert text(record) == " The"


def test_a_with_block_closes(openai_client, tracer):
    client = TracedClient(openai_client("ollama-v1/chat_stream"), tracer=tracer)
    with client.chat.completions.create(**V1) as stream:
        next(stream)
    stream = client.chat.completions.create(**V1)
    with pytest.raises(ZeroDivisionError), stream:
        raise_after(next(stream), ZeroDivisionError)
    one, two = tracer.finished()
    assert one.end_reason == two.end_reason == "closed"
    assert two.status == "OK"


def test_ctrl_c_in_a_with_block(openai_client, tracer):
    client = TracedClient(openai_client("ollama-v1/chat_stream"), tracer=tracer)
    stream = client.chat.completions.create(**V1)
    with pytest.raises(KeyboardInterrupt), stream:
        raise_after(next(stream), KeyboardInterrupt)
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")


async def test_async_exhausted(astream, tracer):
    async for _ in await astream():
        assert current_span() is None
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "exhausted")
    assert text(record) == TEXT


async def test_async_cancelled_while_waiting(astream, tracer):
    read = asyncio.Event()

    async def consume():
        async for _ in await astream(pace=100):  # the second chunk is seconds away
            read.set()

    task = asyncio.create_task(consume())
    await read.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")
    assert text(record) == " The"


async def test_async_closed_in_another_task(astream, tracer):
    made = await astream()
    await anext(made)
    close = made.aclose if hasattr(made, "aclose") else made.close
    await asyncio.create_task(close())
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "closed")
    assert text(record) == " The"


async def test_async_call_cancelled(openai_client, tracer):
    bare = openai_client("ollama-v1/err_client_timeout", openai.AsyncOpenAI)  # never answers
    async with bare:
        traced = TracedClient(bare, tracer=tracer)
        given = arguments(load("ollama-v1/err_client_timeout")["exchanges"][0])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(traced.chat.completions.create(**given), 0.2)
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("CANCELLED", "cancelled")
    assert record.inputs == given


def test_what_openai_streams_are(openai_client, tracer):
    client = TracedClient(openai_client("ollama-v1/chat_stream"), tracer=tracer)
    with client.chat.completions.create(**V1) as stream:
        assert isinstance(stream, openai.Stream)
        assert stream.response.status_code == 200
        for chunk in iter(stream):  # the SDK's own is a generator, too
            assert chunk.choices[0].delta.content == " The"
            break
        assert next(stream).choices[0].delta.content == " capital"


def test_closing_an_iterator_of_a_stream_leaves_it_open(openai_client, tracer):
    client = TracedClient(openai_client("ollama-v1/chat_stream"), tracer=tracer)
    with client.chat.completions.create(**V1) as stream:
        with contextlib.closing(iter(stream)) as iterator:
            next(iterator)
        rest = list(stream)
    [record] = tracer.finished()
    assert record.end_reason == "exhausted"
    assert record.timing.chunks == len(rest) + 1
    assert text(record) == TEXT


def test_what_ollama_streams_are(ollama_client, tracer):
    client = TracedClient(ollama_client("ollama-native/chat_stream"), tracer=tracer)
    stream = client.chat(**NATIVE)
    assert isinstance(stream, types.GeneratorType)
    assert isinstance(stream, collections.abc.Generator)
    assert inspect.isgenerator(stream)
    assert stream.gi_code.co_name == "inner"
    assert repr(stream).startswith("<generator")
    assert stream.send(None).message.content == " The"
    with pytest.raises(ZeroDivisionError):
        stream.throw(ZeroDivisionError)
    [record] = tracer.finished()
    assert record.status == "ERROR"
    assert record.status_message == "ZeroDivisionError"


async def test_what_async_ollama_streams_are(ollama_client, tracer):
    bare = ollama_client("ollama-native/chat_stream", ollama.AsyncClient)
    async with bare._client:
        stream = await TracedClient(bare, tracer=tracer).chat(**NATIVE)
        assert isinstance(stream, types.AsyncGeneratorType)
        assert isinstance(stream, collections.abc.AsyncGenerator)
        assert inspect.isasyncgen(stream)
        assert (await stream.asend(None)).message.content == " The"
        await stream.aclose()
    [record] = tracer.finished()
    assert record.end_reason == "closed"


def test_an_error_inside_a_stream(replay_lines, tracer):
    lines = ['{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n']
    client = TracedClient(replay_lines([*lines, '{"error":"out of memory"}\n']), tracer=tracer)
    with pytest.raises(ollama.ResponseError, match="out of memory"):
        list(client.chat(model="m", messages=[], stream=True))
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("ERROR", "error")
    assert text(record) == "Hi"
    assert record.timing.chunks == 1


def test_a_long_stream_is_handed_over_in_parts(replay_lines, tracer):
    line = '{{"model":"m","message":{{"role":"assistant","content":"{}"}},"done":{}}}\n'
    lines = [line.format(f"{number} ", "false") for number in range(500)]
    client = TracedClient(replay_lines([*lines, line.format("", "true")]), tracer=tracer)
    assert len(list(client.chat(model="m", messages=[], stream=True))) == 501
    [record] = tracer.finished()
    assert record.timing.chunks == len(record.events) == 501
    assert text(record) == "".join(f"{number} " for number in range(500))
    assert record.end_reason == "exhausted"


def test_a_stream_that_found_no_room_fits_when_there_is_some(replay_lines):
    line = '{{"model":"m","message":{{"role":"assistant","content":"{}"}},"done":{}}}\n'
    lines = [line.format(f"{number} ", "false") for number in range(1000)]
    bare = replay_lines([*lines, line.format("", "true")])
    records = []

    class Small(Tracer):
        def _open(self, *_address):
            return [Kept(records)]

    with Small(delivery=Delivery(max_bytes=300_000)) as tracer:
        pump = tracer.pipeline.pump
        tracer.pipeline.pump = lambda *_args, **_more: False  # nothing leaves the queue
        stream = TracedClient(bare, tracer=tracer).chat(model="m", messages=[], stream=True)
        for _ in range(1000):
            next(stream)
        tracer.pipeline.pump = pump
        pump(lambda: None)
        list(stream)
        assert tracer.flush().delivered == 1
    assert len(records[0].events) == 1001
    assert text(records[0]) == "".join(f"{number} " for number in range(1000))


class Kept:
    url = "kept:"

    def __init__(self, records):
        self.records = records

    def write(self, records, _pause):
        self.records += records

    def close(self):
        pass


def test_half_a_character_in_each_of_two_chunks(replay_lines, tracer):
    line = '{{"model":"m","message":{{"role":"assistant","content":"{}"}},"done":{}}}\n'
    lines = [line.format("\\ud83d", "false"), line.format("\\ude00 \\ud83d", "true")]
    client = TracedClient(replay_lines(lines), tracer=tracer)
    list(client.chat(model="m", messages=[], stream=True))
    [record] = tracer.finished()
    assert text(record) == "😀 \\ud83d"
    values = [event["attributes"]["value"]["message"]["content"] for event in record.events]
    assert values == ["\\ud83d", "\\ude00 \\ud83d"]
    record.line()


@pytest.mark.parametrize(
    "odd",
    [
        """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":
        {"name":"f","arguments":{"a":1}}}]}}]}""".replace("\n", ""),
        '"text"',
        "[1]",
        '{"choices":[{"index":"x","delta":{"content":""}}]}',
        '{"choices":[{"index":0,"delta":{"content":5}}]}',
        '{"choices":"none","big":123456789012345678901234567890}',
    ],
)
def test_odd_chunks_do_not_take_the_others_with_them(odd, openai_lines, tracer):
    good = '{"choices":[{"index":0,"delta":{"content":"Hi"}}]}'
    end = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
    bare = openai_lines([f"data: {line}\n\n" for line in (good, odd, end, "[DONE]")])
    client = TracedClient(bare, tracer=tracer)
    chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
    [record] = tracer.finished()
    assert record.timing.chunks == len(chunks) == 3
    assert record.end_reason == "exhausted"
    message = record.outputs["choices"][0]["message"]
    assert message["content"] == "Hi"
    if "arguments" in odd:
        assert message["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    record.line()
