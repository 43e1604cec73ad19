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


def dumped(result):
    return (result.parse() if hasattr(result, "http_response") else result).model_dump()


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
        check_stream(record, chunks, capture)
    else:
        assert record.outputs == dumped(expected)
        assert record.timing.chunks is None
        assert record.end_reason == ("returned" if is_complete(record.outputs) else "incomplete")
    check_counts(record, capture, exchange)


def is_complete(answer):
    if "choices" in answer:
        return all(choice["finish_reason"] for choice in answer["choices"])
    return answer.get("done") is not False


def check_stream(record, chunks, capture):
    assert record.timing.chunks == len(chunks)
    assert 0 < record.timing.first_token_ns <= record.timing.first_answer_ns
    assert record.timing.first_answer_ns <= record.end_ns - record.start_ns
    if chunks[0].get("object") == "text_completion":
        [choice] = record.outputs["choices"]
        assert choice["text"] == "".join(c["text"] for x in chunks for c in x["choices"])
        complete = bool(choice["finish_reason"])
    elif "choices" in chunks[0]:
        complete = check_chat_stream(record, chunks)
    elif "message" in chunks[0]:
        message = record.outputs["message"]
        for key in ("content", "thinking"):
            pieces = [chunk["message"][key] for chunk in chunks if chunk["message"][key]]
            assert (message[key] or "") == "".join(pieces)
        tools = [t for chunk in chunks for t in chunk["message"]["tool_calls"] or ()]
        assert (message["tool_calls"] or []) == tools
        assert (record.outputs["logprobs"] or []) == [
            p for chunk in chunks for p in chunk["logprobs"] or ()
        ]
        assert record.outputs["done_reason"] == chunks[-1]["done_reason"]
        complete = chunks[-1]["done"]
    elif "response" in chunks[0] and isinstance(chunks[0]["response"], str):
        assert record.outputs["response"] == "".join(chunk["response"] for chunk in chunks)
        assert record.outputs["context"] == chunks[-1]["context"]
        complete = chunks[-1]["done"]
    else:
        assert record.outputs == chunks[-1]["response"]
        complete = chunks[-1]["type"] == "response.completed"
    if limit_of(capture):
        assert record.end_reason == "closed"
        assert not record.warnings
    else:
        assert record.end_reason == ("exhausted" if complete else "incomplete")
        assert bool(record.warnings) == (not complete)


def check_chat_stream(record, chunks):
    [choice] = record.outputs["choices"]
    deltas = [c["delta"] for chunk in chunks for c in chunk["choices"]]
    contents = [delta["content"] for delta in deltas if delta["content"] is not None]
    assert choice["message"]["content"] == ("".join(contents) if contents else None)
    calls = {}
    for piece in [t for delta in deltas for t in delta["tool_calls"] or ()]:
        merged = calls.setdefault(piece["index"], {"id": piece["id"], "arguments": "", "name": ""})
        merged["name"] += piece["function"]["name"] or ""
        merged["arguments"] += piece["function"]["arguments"] or ""
    assert [
        {"id": t["id"], **t["function"]} for t in choice["message"]["tool_calls"] or ()
    ] == list(calls.values())
    logprobs = [
        p for x in chunks for c in x["choices"] for p in (c["logprobs"] or {}).get("content") or ()
    ]
    assert ((choice["logprobs"] or {}).get("content") or []) == logprobs
    reasons = [
        c["finish_reason"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]
    ]
    assert choice["finish_reason"] == (reasons[-1] if reasons else None)
    return bool(reasons)


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
