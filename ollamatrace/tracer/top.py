"""The functions that need no tracer in hand: each finds the one that a call would use here."""

from __future__ import annotations

import datetime as dt

from ollamatrace.errors import ConfigError
from ollamatrace.records import Trace
from ollamatrace.spans import SilentSpan, Span
from ollamatrace.tracer.lookup import registry
from ollamatrace.tracer.tracer import Tracer


def set_default(tracer: Tracer | None) -> None:
    """Use `tracer` wherever none is named; ``None`` takes that back."""
    registry.set_default(tracer)


def span(name: str, kind: str = "UNKNOWN", parent: Span | None = None) -> Span:
    """Make a span of your own.

    It belongs to the tracer that a call would use here; see `Tracer.span`.

    Example:
        >>> with span("agent", kind="AGENT") as agent:
        ...     agent.inputs = {"question": "Why is the sky blue?"}
    """
    tracer = registry.resolve() if parent is None else parent.owner
    if not isinstance(tracer, Tracer):
        return SilentSpan(name, kind)
    return tracer.span(name, kind, parent)


async def search_traces(
    text: str | None = None,
    *,
    status: str | None = None,
    model: str | None = None,
    session: str | None = None,
    since: dt.datetime | float | None = None,
    until: dt.datetime | float | None = None,
    limit: int = 100,
) -> list[Trace]:
    """Find traces, newest first; see `Tracer.search_traces`, also for what it raises."""
    return await _tracer().search_traces(
        text,
        status=status,
        model=model,
        session=session,
        since=since,
        until=until,
        limit=limit,
    )


async def get_trace(trace_id: str) -> Trace | None:
    """Read one trace; see `Tracer.get_trace`, also for what it raises."""
    return await _tracer().get_trace(trace_id)


def _tracer() -> Tracer:
    tracer = registry.resolve()
    if tracer is None:
        raise ConfigError("there is no tracer to ask; make one: Tracer(server=…)")
    return tracer
