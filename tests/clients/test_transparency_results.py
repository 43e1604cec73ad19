"""What a traced client gives cannot be told from what the SDK gives."""

from __future__ import annotations

import collections.abc
import copy
import gc
import inspect
import pickle
import sys
import types
import warnings
import weakref

import anyio
import anyio.lowlevel
import openai
import pytest

from ollamatrace import TracedClient
from tests.clients.inprocess import ASK, KINDS, WORDS, ask, close, got, listed, make, step
from tests.clients.test_transparency import form, outcome


@pytest.fixture
def clients(request, tracer):
    """The bare client and a twin."""
    bare = make(request.param)
    return bare, TracedClient(bare, tracer=tracer)


all_four = pytest.mark.parametrize("clients", KINDS, indirect=True)


async def stream_of(client):
    return await got(ask(client)(**ASK, stream=True))


async def aoutcome(action, thing):
    try:
        return form(await got(action(thing)))
    except Exception as error:  # noqa: BLE001  whatever the program gets is compared
        return type(error)


GENERATORS = (types.GeneratorType, types.AsyncGeneratorType)
ABSTRACT = [
    *("Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator"),
    *("Awaitable", "Coroutine", "Sized", "Hashable"),
]
LOOKS = {
    "class": lambda stream: stream.__class__,
    "isinstance": lambda stream: [
        isinstance(stream, kind) for kind in (*GENERATORS, openai.Stream, openai.AsyncStream)
    ],
    "abstract": lambda stream: [
        isinstance(stream, getattr(collections.abc, name)) for name in ABSTRACT
    ],
    "inspected": lambda stream: [
        test(stream)
        for test in (inspect.isgenerator, inspect.isasyncgen, inspect.isawaitable, callable)
    ],
    "dir": dir,
    "repr": form,
    "bool": bool,
    "hashable": lambda stream: type(hash(stream)),
    "weak reference": lambda stream: weakref.ref(stream)() is stream,
    "copy": copy.copy,
    "pickle": pickle.dumps,
    "attributes": lambda stream: {
        name: form(getattr(stream, name)) if name[0] != "_" else type(getattr(stream, name))
        for name in dir(stream)
        if name not in {"__class__", "__doc__", "_iterator"} and callable(getattr(stream, name))
    }.keys(),
    "not there": lambda stream: [
        hasattr(stream, name)
        for name in ("no_such", "aclose", "athrow", "send", "throw", "__len__")
    ],
    "state": inspect.getgeneratorstate,
    "frame": lambda stream: (type(stream.gi_frame), stream.gi_running, stream.gi_yieldfrom),
    "suspended": lambda stream: (stream.gi_suspended, stream.gi_code.co_name),
    "async frame": lambda stream: (
        type(stream.ag_frame),
        stream.ag_running,
        stream.ag_code.co_name,
    ),
    "names": lambda stream: (stream.__name__, stream.__qualname__),
    "doc": lambda stream: stream.__doc__,
    "set": lambda stream: setattr(stream, "mine", 1),
    "set and got": lambda stream: (setattr(stream, "__name__", "mine"), stream.__name__),
    "deleted": lambda stream: delattr(stream, "mine"),
    "dict": lambda stream: sorted(vars(stream)),
}


@pytest.mark.parametrize("at", ["new", "begun", "ended", "closed"])
@pytest.mark.parametrize("look", LOOKS)
@all_four
async def test_a_stream_looks_as_the_sdks(clients, look, at):
    looks = []
    for client in clients:
        stream = await stream_of(client)
        if at == "ended":
            await listed(stream)
        elif at != "new":
            await step(stream)
        if at == "closed":
            await close(stream)
        looks.append(outcome(LOOKS[look], stream))
        await close(stream)
    assert looks[1] == looks[0]


async def twice(stream):
    return [len(await listed(stream)), len(await listed(stream))]


async def once_more_after(stream, end):
    first = text_of(await step(stream))
    await got(end(stream))
    return first, [text_of(chunk) for chunk in await listed(stream)]


def text_of(chunk):
    if hasattr(chunk, "choices"):
        return chunk.choices[0].delta.content
    return chunk.message.content


async def closed_twice(stream):
    return await close(stream), await close(stream)


async def one_by_one(stream):
    seen = []
    for _ in range(len(WORDS)):
        chunk = await step(stream, None)
        if chunk is None:
            return seen, await step(stream, "the end")
        seen.append(text_of(chunk))
    return None


async def in_a_with_block(stream):
    if hasattr(stream, "__aenter__"):
        async with stream as entered:
            return entered is stream, text_of(await step(entered))
    with stream as entered:
        return entered is stream, text_of(await step(entered))


def thrower(*error):
    async def throw(stream):
        await step(stream)
        with warnings.catch_warnings(action="ignore"):  # three arguments are going out of use
            raised = getattr(stream, "athrow", None) or stream.throw
            return await got(raised(*error))

    return throw


async def thrown_when_new(stream):
    return await got((getattr(stream, "athrow", None) or stream.throw)(KeyError("mine")))


def sender(value):
    async def send(stream):
        method = getattr(stream, "asend", None) or stream.send
        return text_of(await got(method(value)))

    return send


async def sent_later(stream):
    await step(stream)
    return await sender("a word that nobody reads")(stream)


async def two_readers(stream):
    it, other = (
        (aiter(stream), aiter(stream))
        if hasattr(stream, "__aiter__")
        else (
            iter(stream),
            iter(stream),
        )
    )
    return [text_of(await step(one)) for one in (it, other, it)]


async def delegated(stream):
    def through():
        return (yield from stream)

    return [text_of(chunk) for chunk in through()]


USES = {
    "twice": twice,
    "after close": lambda stream: once_more_after(stream, close),
    "closed twice": closed_twice,
    "one by one": one_by_one,
    "with": in_a_with_block,
    "throw": thrower(KeyError("mine")),
    "throw a class": thrower(KeyError),
    "throw three": thrower(KeyError, KeyError("mine"), None),
    "throw nonsense": thrower("nonsense"),
    "throw when new": thrown_when_new,
    "throw, then go on": lambda stream: once_more_after(
        stream, lambda stream: aoutcome(thrower(KeyError("mine")), stream)
    ),
    "send nothing": sender(None),
    "send too early": sender(1),
    "send later": sent_later,
    "two readers": two_readers,
    "delegated": delegated,
}


@pytest.mark.parametrize("use", USES)
@all_four
async def test_a_stream_does_what_the_sdks_does(clients, use, tracer):
    outcomes = []
    for client in clients:
        stream = await stream_of(client)
        outcomes.append(await aoutcome(USES[use], stream))
        await close(stream)
        del stream
        gc.collect(1)
    assert outcomes[1] == outcomes[0]
    assert len(tracer.finished()) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("clients", ["AsyncOpenAI", "AsyncClient"], indirect=True)
def test_a_stream_that_is_left_in_the_middle_makes_no_more_noise(
    clients, backend, monkeypatch, capfd, tracer
):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: unraisable.append(form(args.exc_value)))

    async def program(client):
        async for _ in await stream_of(client):
            break
        gc.collect()
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()

    noises = []
    for client in clients:
        with warnings.catch_warnings(record=True, action="always") as caught:
            anyio.run(program, client, backend=backend)
            gc.collect()
        told = {one.category for one in caught}
        noises.append((told, unraisable[:], capfd.readouterr().err))
        unraisable.clear()
    assert noises[1] == noises[0]
    assert [record.end_reason for record in tracer.finished()] == ["abandoned"]
