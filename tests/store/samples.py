"""Spans to write."""

import contextlib
import sqlite3

import orjson

from ollamatrace.records import Content, SpanRecord

T0 = 1_700_000_000_000_000_000
TRACE = f"{7:032x}"


def span(number=1, trace=7, inputs=None, outputs=None, events=(), **fields):
    values = {
        "name": "chat",
        "kind": "LLM",
        "trace_id": f"{trace:032x}",
        "span_id": f"{number:016x}",
        "parent_id": None,
        "start_ns": T0 + number,
        "end_ns": T0 + number + 10,
        "status": "OK",
        "end_reason": "returned",
        "input_content": Content(json=orjson.dumps(inputs)),
        "output_content": Content(json=orjson.dumps(outputs)),
        "event_content": Content(list(events)),
    }
    return SpanRecord(**{**values, **fields})


def conversation(turns):
    """One trace a turn, each with all messages so far."""
    messages = []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"Question {turn}: " + "why? " * 40})
        answer = {"role": "assistant", "content": f"Answer {turn}: " + "because. " * 30}
        yield span(
            turn, trace=turn, inputs={"model": "m", "messages": list(messages)}, outputs=answer
        )
        messages.append(answer)


def rows(path, query):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
