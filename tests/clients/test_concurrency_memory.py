"""What is over leaves nothing behind."""

from __future__ import annotations

import asyncio
import collections
import gc
import math
import time

import pytest

from ollamatrace import TracedClient
from ollamatrace.clients.assembly import Assembly
from ollamatrace.clients.call import Call
from ollamatrace.spans import Span
from tests.clients.inprocess import ASK, KINDS, ask, close, got, listed, make, step

CALLS = 1000


@pytest.fixture
def client(request, tracer):
    gc.freeze()  # only what the calls leave is looked through
    yield TracedClient(make(request.param), tracer=tracer)
    gc.unfreeze()


all_clients = pytest.mark.parametrize("client", KINDS, indirect=True)


KEPT = (Call, Span, Assembly)


def alive():
    """How many objects there are of what is kept for a call, and in all."""
    gc.collect()
    things = gc.get_objects()
    kinds = collections.Counter(map(type, things))
    return [sum(kinds[kind] for kind in kinds if issubclass(kind, KEPT)), len(things)]


async def settled(most=math.inf):
    """Wait, with a deadline, until no more is alive: what was dropped is closed in turns."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        ours, everything = alive()
        if not ours and everything <= most:
            break
        await asyncio.sleep(0)
    return ours, everything


@all_clients
@pytest.mark.parametrize(
    ("way", "calls"), [("whole", CALLS), ("read", 200), ("closed", 200), ("dropped", 200)]
)
async def test_as_many_calls_again_leave_nothing_more(way, calls, client, tracer):
    ends = {"read": listed, "closed": close}

    async def one():
        if way == "whole":
            await got(ask(client)(**ASK))
            return
        stream = await got(ask(client)(**ASK, stream=True))
        await step(stream)
        await ends.get(way, got)(stream)

    async def many():
        for _ in range(calls):
            await one()
        assert len(tracer.finished()) == calls
        assert tracer.pipeline.open == {}

    await many()
    ours, before = await settled()
    assert ours == 0
    await many()
    ours, after = await settled(before + calls // 4)
    assert ours == 0
    assert after - before <= calls // 4
