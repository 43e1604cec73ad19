"""Ways to read a response, and a small stream to read."""

from __future__ import annotations

import json

from ollamatrace import TracedClient
from tests.clients.endpoints_stub import MESSAGES
from tests.clients.stubs import Stub, items

SSE = "text/event-stream"
GIVEN = {"model": "m", "messages": MESSAGES}
READS = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "iter_bytes": lambda response: items(response.iter_bytes()),
    "iter_bytes in threes": lambda response: items(response.iter_bytes(3)),
    "iter_text": lambda response: items(response.iter_text()),
    "iter_lines": lambda response: items(response.iter_lines()),
}


def joined(value):
    if not isinstance(value, list):
        return value
    return (b"" if isinstance(value[0], bytes) else "\n").join(value)


def streaming(client, **given):
    return client.chat.completions.with_streaming_response.create(**given)


def stubbed(reply, way, tracer):
    return TracedClient(Stub([reply]).openai(way), tracer=tracer)


def chunk(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"


HELLO = [chunk(text).encode() for text in ("Hel", "lo ", "you")]


def text_of(record):
    return record.outputs["choices"][0]["message"]["content"]
