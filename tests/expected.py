"""What a record must hold, put together from what a program received."""

from __future__ import annotations


def dumped(result):
    """The answer of an SDK as plain values, whichever way it was asked for."""
    return (result.parse() if hasattr(result, "http_response") else result).model_dump()


def is_complete(answer):
    """Whether the server's final message is in an answer without streaming."""
    if "choices" in answer:
        return all(choice["finish_reason"] for choice in answer["choices"])
    return answer.get("done") is not False


def check_answer(record, answer):
    """Compare the record of a call without streaming."""
    assert record.outputs == answer
    assert record.timing.chunks is None
    assert record.end_reason == ("returned" if is_complete(answer) else "incomplete")


def check_stream(record, chunks, *, early=False):
    """Compare the record of a stream; `early`: the program closed it before its end."""
    assert record.timing.chunks == len(chunks)
    assert 0 < record.timing.first_token_ns <= record.timing.first_answer_ns
    assert record.timing.first_answer_ns <= record.end_ns - record.start_ns
    check_chunks(record, chunks)
    complete = _check_merged(record.outputs, chunks)
    if early:
        assert record.end_reason == "closed"
        assert not record.warnings
    else:
        assert record.end_reason == ("exhausted" if complete else "incomplete")
        assert bool(record.warnings) == (not complete)


def check_chunks(record, chunks):
    """Compare the events of a stream that raised nothing."""
    assert {event["name"] for event in record.events} == {"chunk"}
    found = [event["attributes"] for event in record.events]
    assert [one["value"] for one in found] == chunks
    assert [one["index"] for one in found] == list(range(len(chunks)))
    times = [record.start_ns, *(event["time_ns"] for event in record.events), record.end_ns]
    assert times == sorted(times)


def _check_merged(merged, chunks):
    """Compare a merged answer; says whether the server's final message was there."""
    first, last = chunks[0], chunks[-1]
    if first.get("object") == "text_completion":
        [choice] = merged["choices"]
        assert choice["text"] == "".join(c["text"] for x in chunks for c in x["choices"])
        return bool(choice["finish_reason"])
    if "choices" in first:
        return _check_chat(merged, chunks)
    if "message" in first:
        return _check_ollama_chat(merged, chunks)
    if "done" in first:
        assert merged["response"] == "".join(chunk["response"] for chunk in chunks)
        assert merged["context"] == last["context"]
        return last["done"]
    assert merged == last["response"]
    return last["type"] == "response.completed"


def _check_ollama_chat(merged, chunks):
    message = merged["message"]
    for key in ("content", "thinking"):
        pieces = [chunk["message"][key] for chunk in chunks if chunk["message"][key]]
        assert (message[key] or "") == "".join(pieces)
    tools = [t for chunk in chunks for t in chunk["message"]["tool_calls"] or ()]
    assert (message["tool_calls"] or []) == tools
    assert (merged["logprobs"] or []) == [p for x in chunks for p in x["logprobs"] or ()]
    assert merged["done_reason"] == chunks[-1]["done_reason"]
    return chunks[-1]["done"]


def _check_chat(merged, chunks):
    [choice] = merged["choices"]
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
