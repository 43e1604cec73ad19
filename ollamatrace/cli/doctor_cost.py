"""What tracing costs on this machine: `ollamatrace doctor` makes some calls and sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from ollamatrace import TracedClient, Tracer, guard
from ollamatrace.cli.finding import Finding, ok
from ollamatrace.cli.stub import stub_client
from ollamatrace.records.view import figures
from ollamatrace.testing import MemoryTracer

_WARM_UP: Final = 50
_TIMES: Final = 300
"""So many at a time all wait in the queue, without the background thread at work beside them."""
_NS_PER_US: Final = 1000

Act = Callable[[], Any]


def check_cost() -> Iterator[Finding]:
    """Trace calls that are answered on the spot, and throw the spans away; it takes a moment."""
    found = guard.shielded(_cost)()
    if found is not None:
        yield found


def _cost() -> Finding:
    with MemoryTracer() as tracer:
        tracer.enable()  # asked for, whatever the environment says
        added: list[str] = []
        for name, bare, traced in _ways(tracer):
            added.append(f"{figures.duration(_added(bare, traced))} to {name}")
            tracer.finished()
    text = f"here tracing adds {' and '.join(added)}"
    each = tracer.stats().worker_us_per_span
    if each is not None:
        took = figures.duration(round(each * _NS_PER_US))
        text += f"; a background thread spends {took} on each before it is written or sent"
    if len(added) == 1:
        text += "; calls are not measured: no client of ollama or openai can be made here"
    return ok("cost", text)


def _ways(tracer: Tracer) -> Iterator[tuple[str, Act, Act]]:
    """What is measured, without tracing and with it."""
    stub = stub_client()
    if stub is not None:
        client, call = stub
        traced = TracedClient(client, tracer=tracer)
        yield "a call", lambda: call(client), lambda: call(traced)

    def spanned() -> None:
        with tracer.span("ollamatrace doctor"):
            pass

    yield "a span of your own", _nothing, spanned


def _added(bare: Act, traced: Act) -> int:
    """The median of what the one takes more than the other, in ns, called in turns."""
    differences = [_timed(traced) - _timed(bare) for _ in range(_WARM_UP + _TIMES)][_WARM_UP:]
    return max(sorted(differences)[_TIMES // 2], 0)


def _timed(act: Act) -> int:
    began = time.perf_counter_ns()
    act()
    return time.perf_counter_ns() - began


def _nothing() -> None:
    pass
