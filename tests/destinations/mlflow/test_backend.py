from __future__ import annotations

import json
import threading

import anyio
import pytest

from ollamatrace.destinations.backend import Backend, Paged, Query
from ollamatrace.destinations.mlflow.matching import filters_of
from ollamatrace.errors import ServerError
from ollamatrace.pipeline import Channel
from tests.destinations.mlflow.samples import START, TRACE, call, no_pause, span

SEARCH = "/api/3.0/mlflow/traces/search"
BATCH = "/api/3.0/mlflow/traces/batchGet"
ARTIFACT = "/ajax-api/3.0/mlflow/get-trace-artifact"
GET = "/api/3.0/mlflow/traces/get"


def trace_id(number):
    return f"{number:032x}"


@pytest.fixture
def filled(open_channel):
    """Five traces; the last one is the newest."""
    channel = open_channel()
    for number in range(1, 6):
        status = "ERROR" if number % 2 else "OK"
        child = call(10, trace_id=trace_id(number), parent_id=f"{1:016x}", session=f"s{number}")
        channel.send([child, span(1, trace_id=trace_id(number), status=status)], no_pause)
    return channel


async def ids(channel, **query):
    return [int(trace.trace_id, 16) for trace in await channel.search(Query(**query))]


def test_it_is_channel_backend_and_paged(open_channel):
    channel: Channel = open_channel()
    assert isinstance(channel, Backend)
    assert isinstance(channel, Paged)


async def test_traces_come_newest_first_up_to_the_limit(filled):
    assert await ids(filled) == [5, 4, 3, 2, 1]
    assert await ids(filled, limit=2) == [5, 4]
    (newest,) = await filled.search(Query(limit=1))
    assert len(newest.spans) == 2


async def test_pages_are_followed_until_there_are_enough(mlflow, open_channel):
    channel = open_channel()
    for number in range(1, 6):
        start_ns = START + number * 1_000_000
        channel.send([span(1, trace_id=trace_id(number), start_ns=start_ns)], no_pause)
    mlflow.page_size = 2
    assert await ids(channel) == [5, 4, 3, 2, 1]
    asked = len(mlflow.calls(SEARCH))
    assert asked == 3
    assert await ids(channel, limit=1) == [5]
    assert len(mlflow.calls(SEARCH)) == asked + 1
    assert await ids(channel, limit=2) == [5, 4]
    assert len(mlflow.calls(SEARCH)) == asked + 3  # the next page might have one as new


@pytest.mark.parametrize("page_size", [None, 1, 2])
async def test_the_newest_of_one_millisecond_are_taken(mlflow, open_channel, page_size):
    channel = open_channel()
    base_ns = START // 1_000_000 * 1_000_000
    older = [(1, base_ns - 1), (2, base_ns - 2)]
    for number, start_ns in [*older, *((n, base_ns + n) for n in (7, 9, 4, 8, 3, 5, 6))]:
        channel.send([span(1, trace_id=trace_id(number), start_ns=start_ns)], no_pause)
    mlflow.page_size = page_size
    assert await ids(channel, limit=3) == [9, 8, 7]
    assert await ids(channel, limit=8) == [9, 8, 7, 6, 5, 4, 3, 1]


async def test_any_session_of_a_trace_finds_it(filled):
    records = [span(1, session="a"), span(2, parent_id=f"{1:016x}", session="b" * 300)]
    filled.send(records, no_pause)
    for session in ("a", "b" * 300):
        (trace,) = await filled.search(Query(session=session))
        assert trace.trace_id == TRACE
    assert await filled.search(Query(session="b" * 250)) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "ERROR"}, [5, 3, 1]),
        ({"status": "CANCELLED"}, []),
        ({"model": "llama3.2:1b"}, [5, 4, 3, 2, 1]),
        ({"model": "llama3.2"}, []),
        ({"session": "s4"}, [4]),
        ({"session": "s4", "status": "ERROR"}, []),  # of two spans
        ({"text": "BECAUSE"}, [5, 4, 3, 2, 1]),
        ({"text": "日本"}, [5, 4, 3, 2, 1]),
        ({"text": 'say "hi'}, [5, 4, 3, 2, 1]),
        ({"text": "question"}, []),  # a key
        ({"text": "nowhere"}, []),
        ({"text": "step", "model": "llama3.2:1b"}, []),  # of two spans
        ({"since_ns": START + 10}, [5, 4, 3, 2, 1]),
        ({"since_ns": START + 11}, []),
        ({"until_ns": START + 2}, [5, 4, 3, 2, 1]),
        ({"until_ns": START + 1}, []),
        ({"text": "step", "since_ns": START + 5}, []),
    ],
)
async def test_what_the_server_cannot_tell_is_looked_at_here(filled, query, found):
    assert await ids(filled, **query) == found


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ({}, ""),
        ({"status": "OK"}, "span.status IN ('OK', 'UNSET')"),
        ({"status": "ERROR"}, "span.status = 'ERROR'"),
        ({"status": "CANCELLED"}, "span.status = 'ERROR'"),
        ({"session": "s" * 251}, f"span.content ILIKE '%{'s' * 251}%'"),
        ({"session": "s" * 2000}, f"span.content ILIKE '%{'s' * 1000}%'"),
        ({"session": "o'x"}, ""),
        ({"model": "m:1b"}, "span.content ILIKE '%m:1b%'"),
        ({"model": "日"}, ""),
        ({"text": 'a "b"'}, ""),
        ({"text": "100%"}, ""),
        ({"text": "日"}, ""),
        ({"until_ns": 5_000_000_000}, "timestamp_ms <= 5000"),
        ({"since_ns": 86_405_000_000_000}, "timestamp_ms >= 5000"),
        ({"since_ns": 10**27}, "timestamp_ms >= 9223372036854775807"),
        ({"until_ns": 10**27}, "timestamp_ms <= 9223372036854775807"),
        ({"since_ns": -(10**27)}, "timestamp_ms >= 0"),
        ({"until_ns": -(10**27)}, "timestamp_ms <= 0"),
    ],
)
async def test_the_server_is_asked_for_as_little_as_it_can_tell(mlflow, filled, query, terms):
    assert filters_of(Query(**query)) == [terms]
    await filled.search(Query(**query))
    assert json.loads(mlflow.calls(SEARCH)[-1]["body"])["filter"] == terms


def test_a_text_is_looked_for_in_spans_and_in_names_given_later():
    assert filters_of(Query(text="sky is", status="ERROR")) == [
        "span.status = 'ERROR' AND span.content ILIKE '%sky is%'",
        "span.status = 'ERROR' AND name ILIKE '%sky is%'",
    ]


def test_a_session_is_looked_for_in_spans_and_in_what_was_said_later():
    session = "metadata.`mlflow.trace.session` = 's-1'"
    assert filters_of(Query(session="s-1")) == ["span.content ILIKE '%s-1%'", session]
    assert filters_of(Query(session="s-1", text="sky"))[2:] == [
        f"{session} AND span.content ILIKE '%sky%'",
        f"{session} AND name ILIKE '%sky%'",
    ]


FAILURES = ["Trace data not stored in tracking store", "Value out of range", "MaxDepth"]


def failed(message):
    return 500, {"error_code": "INTERNAL_ERROR", "message": message}


@pytest.mark.parametrize("message", FAILURES)
async def test_one_trace_that_cannot_be_read_does_not_hide_the_others(mlflow, filled, message):
    mlflow.answer(BATCH, failed(message))
    mlflow.answer(GET, failed(message))
    assert await ids(filled) == [4, 3, 2, 1]
    for answer in (failed(message), (400, {"message": "no"}), (404, "<html>")):
        mlflow.answer(BATCH, failed(message))
        mlflow.answer(GET, failed(message))
        mlflow.answer(ARTIFACT, answer)
        assert await ids(filled) == [4, 3, 2, 1]


@pytest.mark.parametrize("message", FAILURES)
async def test_a_trace_that_the_server_cannot_make_otlp_of_is_downloaded(mlflow, filled, message):
    stored = {"span_id": f"{1:016x}", "attributes": {"mlflow.spanInputs": str(2**64 - 1)}}
    mlflow.answer(BATCH, failed(message))
    mlflow.answer(GET, failed(message), None, None, None, None, failed(message))
    mlflow.answer(ARTIFACT, (200, {"spans": [stored]}), (200, {"spans": [stored]}))
    traces = {int(one.trace_id, 16): one for one in await filled.search(Query())}
    assert traces.keys() == {1, 2, 3, 4, 5}
    assert traces[5].root.inputs == 2**64 - 1
    assert (await filled.get(trace_id(5))).root.inputs == 2**64 - 1


async def test_a_server_that_goes_away_between_traces_is_no_trace_that_cannot_be_read(
    mlflow, filled
):
    mlflow.answer(BATCH, failed("MaxDepth"))
    mlflow.answer(GET, None, (503, "busy"))
    with pytest.raises(ServerError, match="busy"):
        await filled.search(Query())


async def test_a_trace_that_cannot_be_downloaded_either_is_no_missing_one(mlflow, filled):
    mlflow.answer(GET, failed("MaxDepth"))
    mlflow.answer(ARTIFACT, failed("MaxDepth"))
    with pytest.raises(ServerError, match="MaxDepth"):
        await filled.get(trace_id(1))


async def test_only_the_own_experiment_is_searched_and_none_is_made(mlflow, filled, open_channel):
    other = open_channel(experiment="Other")
    assert await ids(other) == []
    assert all(one["name"] != "Other" for one in mlflow.experiments.values())
    assert (await other.get(trace_id(3))).trace_id == trace_id(3)


async def test_an_unknown_trace_is_none(filled):
    assert await filled.get("9" * 32) is None


async def test_spans_in_a_file_are_read_from_there(mlflow, filled):
    mlflow.answer(GET, failed(FAILURES[0]), failed(FAILURES[0]))
    old = {
        "span_id": "AAAAAAAAAKE=",
        "name": "step",
        "start_time_unix_nano": 5,
        "end_time_unix_nano": 6,
        "attributes": {"mlflow.spanInputs": '{"a": 1}'},
        "status": {"code": "STATUS_CODE_OK"},
    }
    mlflow.answer(ARTIFACT, (200, {"spans": [old]}))
    trace = await filled.get(trace_id(1))
    assert (trace.root.name, trace.root.inputs) == ("step", {"a": 1})
    assert await filled.get(trace_id(1)) is None  # there is no file either


@pytest.mark.parametrize(
    "answer", [(503, "busy"), (401, ""), (400, {"message": "bad"}), (404, "<html>"), (200, "x")]
)
async def test_a_server_that_cannot_be_asked(mlflow, filled, answer):
    mlflow.answer("/api/3.0", answer, answer)
    with pytest.raises(ServerError, match=mlflow.url):
        await filled.get(TRACE)
    with pytest.raises(ServerError, match=mlflow.url):
        await filled.search(Query())


async def test_a_reader_that_is_cancelled_does_not_wait_for_the_server(mlflow, filled):
    asked, answered, waited = anyio.Event(), threading.Event(), []
    plain = filled._backend._get

    def slow(trace_id):
        anyio.from_thread.run_sync(asked.set)
        waited.append(answered.wait(20))
        return plain(trace_id)

    filled._backend._get = slow
    async with anyio.create_task_group() as group:
        group.start_soon(filled.get, TRACE)
        await asked.wait()
        group.cancel_scope.cancel()
    assert not waited
    answered.set()
