"""What a search asks for reaches the store."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from ollamatrace import Tracer, search_traces, session


@pytest.fixture
def three(tmp_path):
    """Three traces, a second apart as their clocks have it."""
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with tracer.span("first") as first:
            first.inputs = {"question": "Why is the Sky blue?"}
        with pytest.raises(ValueError), tracer.span("second"):
            raise ValueError("no answer")
        with session("chat-7"), tracer.span("third"):
            pass
        yield tracer


async def names(**conditions):
    return [trace.root.name for trace in await search_traces(**conditions)]


async def test_conditions(three):
    assert await names() == ["third", "second", "first"]
    assert await names(limit=1) == ["third"]
    assert await names(status="ERROR") == ["second"]
    assert await names(session="chat-7") == ["third"]
    assert await names(text="sky BLUE") == ["first"]
    assert await names(text="no answer") == ["second"]
    assert await names(model="none") == []
    with pytest.raises(ValueError, match="limit"):
        await names(limit=0)


async def test_times(three):
    [third, second, _] = await search_traces()
    second_ns = second.root.start_ns
    assert await names(since=second_ns) == ["third", "second"]
    assert await names(until=second_ns) == ["first"]
    assert await names(since=time.time() - 60) == ["third", "second", "first"]
    assert await names(until=time.time() - 60) == []
    at = dt.datetime.fromtimestamp(third.root.start_ns / 1e9, dt.UTC) + dt.timedelta(seconds=1)
    assert await names(since=at) == []
    assert len(await names(until=at)) == 3
    local = dt.datetime.now() - dt.timedelta(hours=1)  # noqa: DTZ005
    assert len(await names(since=local)) == 3
    with pytest.raises(ValueError, match="1970"):
        await names(since=int(time.time()))


async def test_model(replay, three):
    import ollama

    from ollamatrace import TracedClient

    server, _ = replay("ollama-native/chat")
    bare = ollama.Client(host=server.url)
    with bare._client:
        TracedClient(bare).chat(model="gemma3:270m", messages=[])
    assert await names(model="gemma3:270m") == ["Chat"]


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_of_nothing_is_refused(limit, three):
    with pytest.raises(ValueError, match="1 or more"):
        await three.search_traces(limit=limit)
