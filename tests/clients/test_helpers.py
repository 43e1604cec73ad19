"""The helpers that read a stream for the program: `stream()` of chats and responses."""

from __future__ import annotations

import json

import pytest

from ollamatrace import TracedClient
from tests.clients.stubs import (
    Stub,
    contains,
    done,
    entered,
    event_stream,
    find,
    items,
    plain,
    step,
)
from tests.exchanges import arguments, load

GIVEN = {
    name: arguments(load(f"ollama-v1/{name}")["exchanges"][0])
    for name in ("chat_stream", "responses_stream")
}
NAMES = {"chat_stream": "Completions", "responses_stream": "Responses"}
helpers = pytest.mark.parametrize(
    ("recording", "method"),
    [
        ("chat_stream", "chat.completions.stream"),
        ("chat_stream", "beta.chat.completions.stream"),
        ("responses_stream", "responses.stream"),
    ],
)


def check_name(record, recording, way):
    assert record.name == ("Async" if way == "async" else "") + NAMES[recording]
    assert record.kind == "CHAT_MODEL"
    assert record.status == "OK"


def asked(client, recording, method):
    given = GIVEN[recording]
    return find(client, method)(**{key: given[key] for key in given if key != "stream"})


def text_of(outputs):
    if "choices" in outputs:
        return outputs["choices"][0]["message"]["content"]
    return "".join(part["text"] for item in outputs["output"] for part in item["content"])


def final_of(stream):
    final = getattr(stream, "get_final_completion", None) or stream.get_final_response
    return final()


@helpers
@pytest.mark.parametrize("final_only", [False, True])
async def test_helper_read_to_its_end(recording, method, final_only, way, pair, tracer):
    bare, traced, _ = await pair(recording)
    got = []
    for client in (bare, traced):
        async with entered(asked(client, recording, method)) as stream:
            events = [] if final_only else await items(stream)
            kinds = [event.type for event in events]
            got.append((type(stream), kinds, await done(final_of(stream))))
    assert got[1] == got[0]
    [record] = tracer.finished()
    check_name(record, recording, way)
    assert record.inputs["model"] == GIVEN[recording]["model"]
    assert record.end_reason == "exhausted"
    assert text_of(record.outputs) == text_of(plain(got[1][2]))
    assert record.timing.chunks == len(record.events) > 2


@helpers
async def test_helper_left_early(recording, method, way, pair, tracer):
    _, traced, _ = await pair(recording)
    async with entered(asked(traced, recording, method)) as stream:
        async for event in _each(stream):
            if event.type in {"content.delta", "response.output_text.delta"}:
                break
    [record] = tracer.finished()
    check_name(record, recording, way)
    assert record.end_reason == "closed"
    assert text_of(record.outputs)
    assert not record.warnings


async def _each(stream):
    while True:
        yield await step(stream)


@helpers
async def test_helper_with_an_exception_in_the_body(recording, method, way, pair, tracer):
    _, traced, _ = await pair(recording)
    error = ZeroDivisionError()

    async def fail():
        async with entered(asked(traced, recording, method)) as stream:
            await step(stream)
            raise error

    with pytest.raises(ZeroDivisionError) as caught:
        await fail()
    assert caught.value is error
    [record] = tracer.finished()
    check_name(record, recording, way)
    assert record.end_reason == "closed"
    assert record.timing.chunks >= 1


@helpers
async def test_helper_never_read(recording, method, pair, tracer):
    _, traced, _ = await pair(recording)
    async with entered(asked(traced, recording, method)):
        pass
    [record] = tracer.finished()
    assert record.end_reason == "closed"
    assert record.outputs is None
    assert record.timing.chunks == 0


async def test_helper_that_goes_on_with_a_stored_response(way, tracer):
    """`stream(response_id=)` retrieves: its tokens were counted with the call that asked."""
    events = [json.loads(e) for e in stored_events()]
    server = Stub([event_stream(*events, done=False)])
    got = []
    for client in (server.openai(way), TracedClient(server.openai(way), tracer=tracer)):
        manager = client.responses.stream(response_id="resp_1", starting_after=3)
        async with entered(manager) as stream:
            got.append([event.sequence_number for event in await items(stream)])
    assert got[1] == got[0]
    assert min(got[0]) == 4
    assert server.requests[-1].url.path == "/v1/responses/resp_1"
    [record] = tracer.finished()
    assert record.name == ("Async" if way == "async" else "") + "Responses"
    assert record.kind == "TASK"
    assert record.end_reason == "exhausted"
    assert record.inputs["response_id"] == "resp_1"
    assert record.usage is None
    assert record.timing.chunks == len(events)
    assert text_of(record.outputs)


def stored_events():
    [exchange] = load("ollama-v1/responses_stream")["exchanges"]
    lines = exchange["response"]["body"]["text"].splitlines()
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


POLLED = {
    "videos.create_and_poll": ("Videos", {"prompt": "A cat"}),
    "beta.threads.create_and_run_poll": ("Runs", {"assistant_id": "a"}),
    "beta.threads.runs.create_and_poll": ("Runs", {"thread_id": "t", "assistant_id": "a"}),
    "beta.threads.runs.submit_tool_outputs_and_poll": (
        "Runs",
        {"thread_id": "t", "run_id": "r", "tool_outputs": []},
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", POLLED)
async def test_helper_that_polls(method, way, tracer):
    """What was begun is the span; looking how it goes on is none."""
    name, given = POLLED[method]
    begun = {"id": "x", "status": "queued", "thread_id": "t"}
    server = Stub([begun, {**begun, "status": "completed"}])
    client = TracedClient(server.openai(way), tracer=tracer)
    answer = await done(find(client, method)(**given))
    assert answer.status == "completed"
    assert len(server.requests) == 2
    [record] = tracer.finished()
    assert record.name == ("Async" if way == "async" else "") + name
    sent = {key: value for key, value in record.inputs.items() if key not in {"stream", "path"}}
    assert sent
    assert contains(given, sent)
    assert record.outputs["status"] == "queued"
    assert not record.warnings


RUNS = {
    "beta.threads.create_and_run_stream": {"assistant_id": "a"},
    "beta.threads.runs.create_and_stream": {"thread_id": "t", "assistant_id": "a"},
    "beta.threads.runs.stream": {"thread_id": "t", "assistant_id": "a"},
    "beta.threads.runs.submit_tool_outputs_stream": {
        "thread_id": "t",
        "run_id": "r",
        "tool_outputs": [],
    },
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", RUNS)
async def test_helper_that_streams_a_run(method, way, tracer):
    run = {"id": "run_1", "object": "thread.run", "thread_id": "t", "model": "m-1"}
    statuses = ("created", "in_progress", "completed")
    events = "".join(
        f"event: thread.run.{status}\ndata: {json.dumps({**run, 'status': status})}\n\n"
        for status in statuses
    )
    reply = {"content": events.encode(), "headers": {"content-type": "text/event-stream"}}
    client = TracedClient(Stub([reply]).openai(way), tracer=tracer)
    async with entered(find(client, method)(**RUNS[method])) as stream:
        got = await items(stream)
    assert [event.event for event in got] == [f"thread.run.{status}" for status in statuses]
    [record] = tracer.finished()
    assert record.kind == "AGENT"
    assert record.end_reason == "exhausted"
    assert record.timing.chunks == 3
    assert record.outputs["data"]["status"] == "completed"
