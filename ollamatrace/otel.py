"""The way to and from OpenTelemetry, for a program that is traced by both.

Needs ``pip install 'ollamatrace[otel]'``. OpenTelemetry's global providers and propagators stay as
they are; none of its spans is recorded here, and none of ours is exported there.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
except ModuleNotFoundError as error:
    raise ImportError(
        "ollamatrace.otel needs OpenTelemetry: pip install 'ollamatrace[otel]'"
    ) from error

from ollamatrace.context import bridges
from ollamatrace.guard import shielded
from ollamatrace.spans import RemoteSpan, Span
from ollamatrace.tracer.propagation import passed_on


def connect() -> None:
    """Make spans of ours and of OpenTelemetry's parents of each other, in the whole process.

    From now on what begins below an active span of OpenTelemetry's has its trace id, and its span
    id as its parent's. A span that is current here is current there: OpenTelemetry's spans begin
    below it, and its propagators name it in what they send. Call it once, when the program starts;
    again it changes nothing.

    Example:
        >>> ollamatrace.otel.connect()
        >>> with opentelemetry.trace.get_tracer("app").start_as_current_span("request"):
        ...     client.chat(...)  # its span is below "request"
    """
    _bridge.connected = True
    bridges.only = _bridge


def disconnect() -> None:
    """Go on without OpenTelemetry; spans that are current there stay so until they are left."""
    _bridge.connected = False


class OwnSpan(trace.NonRecordingSpan):
    """What stands for a span of ours in OpenTelemetry: its ids. As ours, it is nothing once ended.

    Args:
        span: The span of ours.
        base: OpenTelemetry's context before it.
    """

    def __init__(self, span: Span, base: contexts.Context) -> None:
        super().__init__(_context_of(span))
        self.span: Final = span
        self.base: Final = base

    def get_span_context(self) -> trace.SpanContext:
        """Its ids; once it has ended, those of what was current before."""
        if not self.span.ended:
            return super().get_span_context()
        return trace.get_current_span(_open(self.base)).get_span_context()


class _Bridge:
    """See `ollamatrace.context.Bridge`.

    No token of OpenTelemetry's is kept, as it fails in another context; what was current is
    attached again instead.
    """

    def __init__(self) -> None:
        self.connected = False
        self._known: WeakKeyDictionary[trace.Span, RemoteSpan] = WeakKeyDictionary()

    def innermost(self, span: Span | None) -> Span | None:
        return (self._innermost(span) or span) if self.connected else span

    @shielded
    def _innermost(self, ours: Span | None) -> Span | None:
        # OpenTelemetry's has all that began in either: ours are made current there, too.
        current = trace.get_current_span(_open(contexts.get_current()))
        if isinstance(current, OwnSpan):
            return current.span
        if not current.get_span_context().is_valid:
            return None
        try:
            # One for each, as it keeps what is said about the trace.
            found = self._known.get(current)
            return found or self._known.setdefault(current, _standing_for(current, ours))
        except TypeError:  # it cannot be a key, or has no weak references
            return _standing_for(current, ours)

    @shielded
    def enter(self, span: Span) -> None:
        if self.connected:
            base = _open(contexts.get_current())
            contexts.attach(trace.set_span_in_context(OwnSpan(span, base), base))

    @shielded
    def leave(self, span: Span) -> None:
        here = contexts.get_current()
        while isinstance(current := trace.get_current_span(here), OwnSpan):
            if current.span is span:
                contexts.attach(current.base)
            if not current.span.ended or current.span is span:
                return
            here = current.base

    @shielded
    def here(self) -> Any:
        return contexts.get_current()

    @shielded
    def go(self, there: Any) -> None:
        contexts.attach(there)


_bridge: Final = _Bridge()


def _open(context: contexts.Context) -> contexts.Context:
    """`context` without spans of ours that have ended."""
    while isinstance(current := trace.get_current_span(context), OwnSpan) and current.span.ended:
        context = current.base
    return context


def _context_of(span: Span) -> trace.SpanContext:
    flags, state = passed_on(span)
    return trace.SpanContext(
        trace_id=int(span.trace_id, 16),
        span_id=int(span.span_id, 16),
        is_remote=span.is_remote,
        trace_flags=trace.TraceFlags(flags),
        trace_state=None if state is None else trace.TraceState.from_header([state]),
    )


def _standing_for(span: trace.Span, ours: Span | None) -> RemoteSpan:
    known = span.get_span_context()
    above: trace.SpanContext | None = getattr(span, "parent", None)  # the SDK's spans have it
    return RemoteSpan(
        known.trace_id,
        known.span_id,
        int(known.trace_flags),
        known.trace_state.to_header() or None,
        is_here=not known.is_remote,
        is_continued=above is not None and above.is_remote,
        outer=ours,
    )
