"""What is measured: one question a file.

Each can be run alone: ``python -m benchmarks.cases.call``.
"""

from __future__ import annotations

from typing import Final

CASES: Final = {
    "call": "a small call, on the caller's thread",
    "chunk": "each chunk of a stream",
    "span": "a span of one's own, a traced function",
    "disabled": "all of these while tracing is switched off",
    "first_call": "the first call of a program",
    "within": "a call of which the SDK does its part, beside the least that a tracer must do",
    "transport": "calls and streams with the whole SDK, up to its HTTP transport",
    "size": "calls with 1 kB to 10 MB, up to 200 messages, an image of 10 MB",
    "turns": "a conversation of 50 turns",
    "cpu": "processor time of all threads, by destination",
    "lag": "an event loop, and its calls, while 1,000 calls a second are shipped",
    "sustained": "spans a second into the embedded store without a drop",
    "delivery": "spans a second to a real MLflow server",
    "memory": "bytes of a call that waits",
    "imports": "the time of the import",
}
"""The modules here, and what each measures."""
