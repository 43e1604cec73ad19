"""Objects that other tracers return, which have more ways than what is behind them."""

from __future__ import annotations

import gc

import pytest

from ollamatrace import TracedClient
from tests.clients.stubs import Stub, done, event_stream

HEAD = {"id": "c", "created": 1, "model": "m"}
CHUNKS = [
    {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
    for choice in (
        {"delta": {"content": "Hel"}},
        {"delta": {"content": "lo"}, "finish_reason": "stop"},
    )
]
ANSWER = {
    **HEAD,
    "object": "chat.completion",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


class Ways:
    """As OpenTelemetry's openai-v2 2.4 has a stream: for both kinds of client."""

    def __init__(self, inner):
        self._inner = inner

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._inner)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._inner.close()

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await anext(self._inner)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._inner.close()

    def close(self):
        return self._inner.close()


class Proxy(Ways):
    """As OpenInference 0.1 and OpenLLMetry 0.62 have it: it says it is what is behind it.

    Braintrust 0.47 has it in front of answers, too.
    """

    __class__ = property(lambda self: self._inner.__class__)

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.fixture(params=[Ways, Proxy])
def returned(request, way, tracer, monkeypatch):
    """Makes a call of a traced client below which another tracer puts its own objects."""
    return calling(request.param, way, tracer, monkeypatch)


def calling(kind, way, tracer, monkeypatch):
    async def call(reply, **options):
        bare = Stub([reply]).openai(way)
        original = type(bare.chat.completions).create

        def create(self, **given):
            return kind(original(self, **given))

        async def create_later(self, **given):
            return kind(await original(self, **given))

        replacement = create if way == "sync" else create_later
        monkeypatch.setattr(type(bare.chat.completions), "create", replacement)
        client = TracedClient(bare, tracer=tracer)
        return await done(client.chat.completions.create(model="m", messages=[], **options))

    return call


async def read(stream, way):
    return list(stream) if way == "sync" else [chunk async for chunk in stream]


async def step(stream, way):
    return next(stream) if way == "sync" else await anext(stream)


def text(record):
    return record.outputs["choices"][0]["message"]["content"]


async def test_a_stream_is_read_to_its_end(returned, way, tracer):
    stream = await returned(event_stream(*CHUNKS), stream=True)
    assert len(await read(stream, way)) == 2
    [record] = tracer.finished()
    assert (record.end_reason, record.timing.chunks, text(record)) == ("exhausted", 2, "Hello")


async def test_a_stream_is_left(returned, way, tracer):
    stream = await returned(event_stream(*CHUNKS), stream=True)
    if way == "sync":
        with stream as entered:
            next(entered)
    else:
        async with stream as entered:
            await anext(entered)
    del stream, entered
    gc.collect()
    [record] = tracer.finished()
    assert record.timing.chunks == 1
    assert text(record) == "Hel"


async def test_a_stream_is_closed(returned, way, tracer):
    stream = await returned(event_stream(*CHUNKS), stream=True)
    await step(stream, way)
    await done(stream.close())
    [record] = tracer.finished()
    assert (record.end_reason, text(record)) == ("closed", "Hel")


async def test_an_answer_is_no_stream(way, tracer, monkeypatch):
    answer = await calling(Proxy, way, tracer, monkeypatch)(ANSWER)
    assert type(answer) is Proxy
    assert answer.choices[0].message.content == "Hello"
    [record] = tracer.finished()
    assert (record.status, record.end_reason, text(record)) == ("OK", "returned", "Hello")
    assert record.usage.output_tokens == 2


async def test_an_answer_and_a_stream_of_one_class(way, tracer):
    with pytest.MonkeyPatch.context() as patched:
        await calling(Proxy, way, tracer, patched)(ANSWER)
    with pytest.MonkeyPatch.context() as patched:
        stream = await calling(Proxy, way, tracer, patched)(event_stream(*CHUNKS), stream=True)
    assert len(await read(stream, way)) == 2
    assert [record.end_reason for record in tracer.finished()] == ["returned", "exhausted"]
