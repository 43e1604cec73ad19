"""The functions that need no tracer in hand: each finds the one that a call would use here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from ollamatrace import guard
from ollamatrace.errors import ConfigError
from ollamatrace.records import Trace
from ollamatrace.spans import SilentSpan, Span
from ollamatrace.tracer import update
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


@guard.shielded
def update_trace(
    session: str | None = None,
    user: str | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    name: str | None = None,
    *,
    client_request_id: str | None = None,
    request_preview: str | None = None,
    response_preview: str | None = None,
) -> None:
    """Say something about the whole trace: that of the current span, else the last one here.

    May be called while the trace goes on and after it has ended. Called again, it adds to what
    was said before; the same key again replaces the value. It never raises; where no span is open
    and none has ended in this task or thread, and where MLflow keeps less, it logs a warning.

    Args:
        session: The session (conversation) it belongs to; it beats ``with session(…)``.
        user: Who it was done for.
        tags: Added to its tags; what is no text becomes one.
        metadata: The same for its metadata.
        name: What its root span is called from now on.
        client_request_id: Your own id of the request. This and the two below are kept as metadata
            of these names; MLflow has fields of its own for them (50 characters; 1,000).
        request_preview: What a list of traces shows of the inputs, instead of their beginning.
        response_preview: The same of the outputs.

    Example:
        >>> client.chat(...)
        >>> update_trace(user="ada", tags={"answer": "good"})
    """
    named = {
        "client_request_id": client_request_id,
        "request_preview": request_preview,
        "response_preview": response_preview,
    }
    texts = {name: update.text_of(name, value) for name, value in named.items()}
    shown = {name: text for name, text in texts.items() if text is not None}
    update.bring(
        session=update.text_of("session", session),
        user=update.text_of("user", user),
        tags=update.texts_of("tags", tags),
        metadata={**update.texts_of("metadata", metadata), **shown},
        name=update.text_of("name", name),
    )


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
    tracer = registry.resolve(to_read=True)
    if tracer is None:
        raise ConfigError("there is no tracer to ask; make one: Tracer(server=…)")
    return tracer
