"""Every recorded exchange, made again through a traced client, sync and async.

The reference is a bare client against the same server: the program must get what it gets there,
and the record must hold what was sent and received.
"""

from __future__ import annotations

import ollama
import openai
import pytest

from ollamatrace import TracedClient
from tests.exchanges import OPENAI_PATHS, arguments, names, path_of
from tests.expected import check_answer, check_stream, dumped

TIMEOUT_S = 0.25  # as long as the recorded client waited


def openai_options(server, capture):
    timeout = TIMEOUT_S if capture["name"] == "err_client_timeout" else 30
    return {"base_url": server.url + "/v1", "api_key": "x", "max_retries": 0, "timeout": timeout}


def ollama_options(server, capture):
    timeout = TIMEOUT_S if capture["name"] == "err_client_timeout" else 30
    return {"host": server.url, "timeout": timeout}


def method_of(client, capture, exchange):
    path = path_of(exchange)
    if path not in OPENAI_PATHS:
        return getattr(client, path.rpartition("/")[2])
    resource = client
    for name in OPENAI_PATHS[path].split("."):
        resource = getattr(resource, name)
    return (resource.with_raw_response if capture["name"] == "raw_response" else resource).create


def pace_of(name):
    """As fast as it can, but where the recorded client lost patience with the server."""
    return 1 if name.endswith("err_client_timeout") else 0


def limit_of(capture):
    """How many chunks the recorded program read; ``None``: all."""
    early = capture["name"] == "stream_client_stops_early"
    return len(capture["client_result"]) if early else None


def call(client, capture, exchange):
    """Make the call and give what the program got: an answer, chunks, or an exception."""
    try:
        given = arguments(exchange)
        result = method_of(client, capture, exchange)(**given)
        if not given.get("stream"):
            return result
        chunks = []
        for chunk in result:
            chunks.append(chunk)
            if len(chunks) == limit_of(capture):
                result.close()
                break
    except Exception as error:  # noqa: BLE001
        return error
    return chunks


async def acall(client, capture, exchange):
    try:
        given = arguments(exchange)
        result = await method_of(client, capture, exchange)(**given)
        if not given.get("stream"):
            return result
        chunks = []
        async for chunk in result:
            chunks.append(chunk)
            if len(chunks) == limit_of(capture):
                await (result.aclose if hasattr(result, "aclose") else result.close)()
                break
    except Exception as error:  # noqa: BLE001
        return error
    return chunks


def same(got, expected):
    if isinstance(expected, Exception):
        assert type(got) is type(expected)
        assert str(got) == str(expected)
    elif hasattr(expected, "http_response"):
        assert type(got) is type(expected)
        assert got.parse() == expected.parse()
    else:
        assert got == expected


def check(record, expected, capture, exchange):
    given = arguments(exchange)
    assert record.inputs == given
    assert record.parent_id is None
    assert isinstance(expected, Exception) == (capture["client_error"] is not None)
    if isinstance(expected, Exception):
        assert (record.status, record.end_reason) == ("ERROR", "error")
        assert record.status_message == f"{type(expected).__name__}: {expected}".removesuffix(": ")
        assert record.outputs is None
        assert record.usage is None
        [event] = record.events
        assert event["attributes"]["exception.type"] == capture["client_error"]["type"]
        assert event["attributes"]["exception.message"] == str(expected)
        assert "test_captures.py" in event["attributes"]["exception.stacktrace"]
        return
    assert record.status == "OK"
    last = expected[-1].model_dump() if given.get("stream") else dumped(expected)
    answered = last["response"] if isinstance(last.get("response"), dict) else last
    assert record.model == answered.get("model", given["model"])
    if given.get("stream"):
        chunks = [chunk.model_dump() for chunk in expected]
        check_stream(record, chunks, early=limit_of(capture) is not None)
    else:
        check_answer(record, dumped(expected))
    check_counts(record, capture, exchange)


def check_counts(record, capture, exchange):
    """Compare with the bytes on the wire, whatever an SDK made of them."""
    text = exchange["response"]["body"]["text"]
    duration = {"load_duration": "load_ns", "prompt_eval_duration": "prompt_eval_ns"}
    duration |= {"eval_duration": "eval_ns", "total_duration": "total_ns"}
    last = record.outputs or {}
    for theirs, ours in duration.items():
        assert getattr(record.timing, ours) == last.get(theirs)
        assert (f'"{theirs}":' in text) == (last.get(theirs) is not None) or limit_of(capture)
    if limit_of(capture):
        assert record.usage is None
        return
    counts = last.get("usage") or last
    given = counts.get("prompt_tokens", counts.get("input_tokens", counts.get("prompt_eval_count")))
    made = counts.get("completion_tokens", counts.get("output_tokens", counts.get("eval_count")))
    if not given and not made:
        assert record.usage is None
        return
    assert record.usage.input_tokens == given
    assert record.usage.output_tokens == made
    if "total_tokens" in counts:
        assert record.usage.total_tokens == counts["total_tokens"]
    if '"cached_tokens":' in text:
        details = counts.get("prompt_tokens_details") or counts["input_tokens_details"]
        assert record.usage.cached_tokens == details["cached_tokens"]
    else:
        assert record.usage.cached_tokens is None


@pytest.mark.parametrize("name", names(sdk="openai"))
def test_openai_exchange(name, replay, tracer):
    server, capture = replay(name, pace_of(name))
    with openai.OpenAI(**openai_options(server, capture)) as bare:
        traced = TracedClient(bare, tracer=tracer)
        for exchange in capture["exchanges"]:
            expected = call(bare, capture, exchange)
            same(call(traced, capture, exchange), expected)
            [record] = tracer.finished()
            check(record, expected, capture, exchange)


@pytest.mark.parametrize("name", names(sdk="openai"))
async def test_openai_exchange_async(name, replay, tracer):
    server, capture = replay(name, pace_of(name))
    async with openai.AsyncOpenAI(**openai_options(server, capture)) as bare:
        traced = TracedClient(bare, tracer=tracer)
        for exchange in capture["exchanges"]:
            expected = await acall(bare, capture, exchange)
            same(await acall(traced, capture, exchange), expected)
            [record] = tracer.finished()
            assert record.name.startswith("Async")
            check(record, expected, capture, exchange)


@pytest.mark.parametrize("name", names(sdk="ollama"))
def test_ollama_exchange(name, replay, tracer):
    server, capture = replay(name, pace_of(name))
    bare = ollama.Client(**ollama_options(server, capture))
    with bare._client:
        traced = TracedClient(bare, tracer=tracer)
        for exchange in capture["exchanges"]:
            expected = call(bare, capture, exchange)
            same(call(traced, capture, exchange), expected)
            [record] = tracer.finished()
            assert record.provider == "ollama"
            check(record, expected, capture, exchange)


@pytest.mark.parametrize("name", names(sdk="ollama"))
async def test_ollama_exchange_async(name, replay, tracer):
    server, capture = replay(name, pace_of(name))
    bare = ollama.AsyncClient(**ollama_options(server, capture))
    async with bare._client:
        traced = TracedClient(bare, tracer=tracer)
        for exchange in capture["exchanges"]:
            expected = await acall(bare, capture, exchange)
            same(await acall(traced, capture, exchange), expected)
            [record] = tracer.finished()
            assert record.name.startswith("Async")
            check(record, expected, capture, exchange)


def test_captures_cover_both_sdks():
    assert len(names(sdk="openai")) >= 50
    assert len(names(sdk="ollama")) >= 30


def shape(value):
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("whole", "streamed"),
    [
        ("ollama-v1/chat", "ollama-v1/chat_stream_usage"),
        ("ollama-v1/completions", "ollama-v1/completions_stream"),
        ("llamacpp-v1/chat", "llamacpp-v1/chat_stream_usage"),
        ("llamacpp-v1/tools_auto", "llamacpp-v1/tools_stream"),
        ("ollama-native/chat", "ollama-native/chat_stream"),
        ("ollama-native/generate", "ollama-native/generate_stream"),
        ("ollama-native/chat_tools", "ollama-native/chat_tools_stream"),
        ("ollama-native/chat_think", "ollama-native/chat_think_stream"),
    ],
)
def test_a_merged_stream_has_the_shape_of_a_whole_answer(whole, streamed, replay, tracer):
    outputs = []
    for name in (whole, streamed):
        server, capture = replay(name)
        [exchange] = capture["exchanges"]
        if "native" in name:
            bare = ollama.Client(**ollama_options(server, capture))
            with bare._client:
                call(TracedClient(bare, tracer=tracer), capture, exchange)
        else:
            with openai.OpenAI(**openai_options(server, capture)) as bare:
                call(TracedClient(bare, tracer=tracer), capture, exchange)
        outputs.append(tracer.finished()[0].outputs)
    assert shape(outputs[1]) == shape(outputs[0])
    assert list(outputs[1]) == list(outputs[0])
