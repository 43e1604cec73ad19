"""Records as programs make them."""

from __future__ import annotations

from ollamatrace.records import Content, SpanRecord, Timing, Usage

TRACE = "0af7651916cd43dd8448eb211c80319c"
START = 1_795_355_433_924_532_521


def no_pause():
    pass


def span(number=1, trace_id=TRACE, parent_id=None, **fields):
    """A manual span."""
    start_ns = fields.pop("start_ns", START + number)
    usual = {
        "name": "step",
        "kind": "CHAIN",
        "trace_id": trace_id,
        "span_id": f"{number:016x}",
        "parent_id": parent_id,
        "start_ns": start_ns,
        "end_ns": start_ns + 123_456_789,
        "status": "OK",
        "end_reason": "returned",
        "input_content": Content({"question": "Why?"}),
        "output_content": Content("Because."),
    }
    return SpanRecord(**{**usual, **fields})


def call(number=1, **fields):
    """A call of Ollama's own client, with all that a record can have."""
    usual = {
        "name": "Chat",
        "kind": "CHAT_MODEL",
        "input_content": Content(
            {
                "model": "llama3.2",
                "messages": [{"role": "user", "content": 'Say "hi", 日本'}],
                "stream": True,
                "options": {"num_ctx": 4096, "temperature": 0.5},
            }
        ),
        "output_content": Content(
            {
                "model": "llama3.2:1b",
                "done": True,
                "done_reason": "stop",
                "total_duration": 123,
                "load_duration": None,
                "logprobs": None,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "thinking": "hm",
                    "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, None]}}}],
                },
            }
        ),
        "attributes": {
            "finish_reason": "stop",
            "model_asked": "llama3.2",
            "text": "[1]",
            "n": 3,
            "f": 2.5,
            "flag": True,
            "deep": {"x": [1, {}], "y": []},
            "nothing": None,
            "model": "the same name as an argument",
        },
        "event_content": Content(
            [
                {
                    "name": "chunk",
                    "time_ns": START + 5,
                    "attributes": {"index": 0, "value": {"a": 1}},
                },
                {
                    "name": "exception",
                    "time_ns": START + 6,
                    "attributes": {"exception.type": "a.b.Odd", "exception.message": "m"},
                },
                {"name": "own", "time_ns": START + 7, "attributes": {"k": '{"a": 1}', "i": 1}},
            ]
        ),
        "links": [{"trace_id": "f" * 32, "span_id": "e" * 16}],
        "usage": Usage(5, 7, 12, None, 3),
        "model": "llama3.2:1b",
        "provider": "ollama",
        "timing": Timing(first_token_ns=5, chunks=2, eval_ns=8),
        "warnings": ["cut"],
        "session": "s-1",
        "user": "alice",
        "tags": {"env": "dev", "long": "x" * 300},
        "metadata": {"m": "v"},
    }
    return span(number, **{**usual, **fields})
