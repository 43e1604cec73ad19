"""What is open here: the current span and the session, by context variables.

No token is kept: a value is put back by setting it, and a span that has ended is passed over. So
a generator that is driven or closed from another context can neither fail nor leave anything
behind.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from weakref import ref

from ollamatrace import guard
from ollamatrace.ids import trace_hex
from ollamatrace.records import utf8
from ollamatrace.settings import is_disabled

if TYPE_CHECKING:
    from ollamatrace.spans import Owner, Span

span_var: Final[ContextVar[Span | None]] = ContextVar("ollamatrace_span", default=None)
session_var: Final[ContextVar[str | None]] = ContextVar("ollamatrace_session", default=None)
last_var: Final[ContextVar[tuple[int, ref[Owner]] | None]] = ContextVar(
    "ollamatrace_last_trace", default=None
)
"""The trace whose span ended last, and its tracer, which is not kept alive."""


class _Latest:
    """What `last_var` would be if all of the process were one context."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended: tuple[int, ref[Owner]] | None = None


latest: Final = _Latest()

LONGEST_SESSION: Final = 250
"""Characters of a session id that MLflow keeps."""


class Bridge(Protocol):
    """Another tracing system, in which what is current here is to be so, too."""

    def innermost(self, span: Span | None) -> Span | None:
        """The innermost span here, or what stands for it, where of ours that is `span`."""
        ...

    def enter(self, span: Span) -> None:
        """Make `span` current there."""
        ...

    def leave(self, span: Span) -> None:
        """Make what was current there before `span` so again, if `span` still is."""
        ...

    def here(self) -> Any:
        """All that is current there, to be put back by `go`."""
        ...

    def go(self, there: Any) -> None:
        """Make current what `here` gave."""
        ...


class _Bridges:
    """The one that is connected, if any."""

    __slots__ = ("only",)

    def __init__(self) -> None:
        self.only: Bridge | None = None


bridges: Final = _Bridges()


def enclosing() -> Span | None:
    """The innermost span that began here and is open, or one of another process (`extract`)."""
    span = span_var.get()
    while span is not None and span.ended:
        span = span.outer
    return span


def innermost() -> Span | None:
    """What is the parent of what begins here: a span that is open, or one recorded elsewhere."""
    return below(enclosing())


def below(span: Span | None) -> Span | None:
    """The parent of what begins here where the innermost span of ours is `span`."""
    bridge = bridges.only
    return span if bridge is None else bridge.innermost(span)


def current_span() -> Span | None:
    """The innermost span that is open here, or ``None``. One that has ended is never current."""
    ours = enclosing()
    span = below(ours)
    if span is not None and span.is_remote:
        span = ours  # of another tracing system, below ours
    return None if span is None or span.is_remote else span


def make_current(span: Span) -> None:
    """Make `span` the parent of what begins here."""
    span_var.set(span)
    bridge = bridges.only
    if bridge is not None:
        bridge.enter(span)


def put_back(span: Span, outer: Span | None) -> bool:
    """Make `outer` current again where `span` is; says whether it is here.

    It is not so where a generator is closed from another context.
    """
    now = span_var.get()
    # One that has ended here has left before, to where it began.
    is_here = now is span or (span.ended and now is span.outer)
    if is_here:
        span_var.set(outer)
    bridge = bridges.only
    if bridge is not None:
        bridge.leave(span)
    return is_here


Place = tuple["Span | None", Any]
"""All that is current somewhere: of ours, and of the other system."""


def place() -> Place:
    """All that is current here."""
    bridge = bridges.only
    return span_var.get(), None if bridge is None else bridge.here()


def go(place: Place) -> None:
    """Make all of `place` current here."""
    span_var.set(place[0])
    bridge = bridges.only
    if bridge is not None and place[1] is not None:
        bridge.go(place[1])


def remember(trace: int, owner: ref[Owner]) -> None:
    """Have a span's trace be the one that ended last, here and of all."""
    latest.ended = ended = (trace, owner)
    last_var.set(ended)


def last_trace_id() -> str | None:
    """The id of the trace whose span ended last, here in this context: 32 hex digits.

    In IPython each cell begins with the one that ended last before it, in whichever cell or thread.
    """
    last = last_var.get()
    return None if last is None else trace_hex(last[0])


class attach:  # noqa: N801  used like a function: `with attach(span):`
    """Make an open span current in this block, where it is not so by itself: in another thread.

    What begins inside is below it. Leaving the block does not end it. One that has ended, has not
    begun or records nothing is never current; ``None`` changes nothing.

    In a generator it holds in the context in which the generator is driven: where each step has
    another one, as with a framework that iterates in a pool of threads, attach in each step.

    Example:
        >>> def work(parent):
        ...     with attach(parent):
        ...         client.chat(...)
        >>> with span("agent"):
        ...     threading.Thread(target=work, args=(current_span(),)).start()
    """

    __slots__ = ("_outer", "_span")

    def __init__(self, span: Span | None) -> None:
        self._span = span
        self._outer: Span | None = None

    def __enter__(self) -> Self:
        if self._span is not None and self._span.is_open:
            self._outer = span_var.get()
            make_current(self._span)
        else:
            self._span = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._span is not None:
            put_back(self._span, self._outer)


class session:  # noqa: N801  used like a function: `with session("chat-7"):`
    """Give every span that begins in this block the session (conversation) `id`; ``None``: none.

    Example:
        >>> with session("chat-7"):
        ...     client.chat(...)
    """

    __slots__ = ("_id", "_outers")

    def __init__(self, id: str | None) -> None:  # noqa: A002  the word of the field
        self._id = None if id is None else utf8(id)
        if self._id is not None and len(self._id) > LONGEST_SESSION and not is_disabled():
            guard.warn(
                "session",
                f"session: an id of {len(self._id)} characters; MLflow keeps the first "
                f"{LONGEST_SESSION} of them",
            )
        self._outers: list[str | None] = []
        """What was current where it was entered: it may be so again in its own block."""

    def __enter__(self) -> Self:
        self._outers.append(session_var.get())
        session_var.set(self._id)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        outer = self._outers.pop() if self._outers else None
        if session_var.get() is self._id:  # else it is left from another context
            session_var.set(outer)
