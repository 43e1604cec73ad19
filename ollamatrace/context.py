"""What is open here: the current span and the session, by context variables.

No token is kept: a value is put back by setting it, and a span that has ended is passed over. So
a generator that is driven or closed from another context can neither fail nor leave anything
behind.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from weakref import ref

from ollamatrace.ids import trace_hex
from ollamatrace.records import utf8

if TYPE_CHECKING:
    from ollamatrace.spans import Owner, Span

span_var: Final[ContextVar[Span | None]] = ContextVar("ollamatrace_span", default=None)
session_var: Final[ContextVar[str | None]] = ContextVar("ollamatrace_session", default=None)
last_var: Final[ContextVar[int | None]] = ContextVar("ollamatrace_last_trace_id", default=None)
last_owner_var: Final[ContextVar[ref[Owner] | None]] = ContextVar(
    "ollamatrace_last_owner", default=None
)
"""The tracer of that trace, which is not kept alive."""


def current_span() -> Span | None:
    """The innermost span that is open here, or ``None``. One that has ended is never current."""
    span = span_var.get()
    while span is not None and span.ended:
        span = span.outer
    return span


def last_trace_id() -> str | None:
    """The id of the trace whose span ended last, here in this context: 32 hex digits."""
    number = last_var.get()
    return None if number is None else trace_hex(number)


class session:  # noqa: N801  used like a function: `with session("chat-7"):`
    """Give every span that begins in this block the session (conversation) `id`.

    Example:
        >>> with session("chat-7"):
        ...     client.chat(...)
    """

    __slots__ = ("_id", "_outer")

    def __init__(self, id: str) -> None:  # noqa: A002  the word of the field
        self._id = utf8(id)
        self._outer: str | None = None

    def __enter__(self) -> Self:
        self._outer = session_var.get()
        session_var.set(self._id)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session_var.set(self._outer)
