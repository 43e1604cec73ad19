"""A trace across processes: `inject` here, `extract` there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from ollamatrace import guard
from ollamatrace.context import enclosing, innermost, make_current, put_back, span_var
from ollamatrace.spans import RemoteSpan, Span
from ollamatrace.tracer.lookup import registry
from ollamatrace.tracer.traceparent import (
    PARENT,
    SAMPLED,
    STATE,
    format_parent,
    parse_parent,
    parse_state,
)

H = TypeVar("H", bound=MutableMapping[str, str])

Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]

_NAMES: Final = frozenset({PARENT, STATE})


@overload
def inject(headers: None = None) -> dict[str, str]: ...


@overload
def inject(headers: H) -> H: ...


def inject(headers: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Name the current span in `headers`, so that who gets them can go on with its trace.

    That is W3C's ``traceparent``, and the ``tracestate`` that came in with the trace, if one did.
    Where no span is open, they are those of the `extract` block around; without one, nothing is
    changed.

    Args:
        headers: What is sent along: headers of a request, or the environment of a process. It is
            changed; without it, a new one is made.

    Returns:
        `headers`.

    Example:
        >>> httpx.post(url, headers=inject({"Accept": "application/json"}))
        >>> subprocess.run(command, env=inject(dict(os.environ)))
    """
    wanted: MutableMapping[str, str] = {} if headers is None else headers
    span = innermost()
    if span is not None:
        _put(wanted, said_of(span))
    return wanted


def said_of(span: Span) -> dict[str, str]:
    """The headers that name `span`."""
    flags, state = passed_on(span)
    said = {PARENT: format_parent(span.trace_id, span.span_id, flags)}
    return said if state is None else {**said, STATE: state}


def names_span(headers: Iterable[str | bytes]) -> bool:
    """Whether one of the headers with these names says which span is the parent."""
    return any(_text(name).lower() in _NAMES for name in headers)


class extract:  # noqa: N801  used like a function: `with extract(request.headers):`
    """Make the span that `headers` name the parent of what begins in this block.

    Such spans have its trace id, and its span id as their parent's, also in tasks made here.
    Headers that name none, or break the rules, change nothing.

    Args:
        headers: A mapping, upper and lower case being the same (headers of a request,
            ``os.environ``), or pairs of them, as in an ASGI scope.

    Example:
        >>> with extract(request.headers), span("answer"):
        ...     client.chat(...)
    """

    __slots__ = ("_outer", "_remote")

    def __init__(self, headers: Headers | None) -> None:
        self._remote = _read(headers)
        self._outer: Span | None = None

    def __enter__(self) -> Self:
        here = innermost()
        if isinstance(here, RemoteSpan) and here.is_here and _is_same_trace(here, self._remote):
            self._remote = None  # another tracer has gone on with the trace already, and is below
        if self._remote is not None:
            self._outer, self._remote.outer = span_var.get(), enclosing()
            make_current(self._remote)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        remote = self._remote
        if remote is None:
            return
        if not put_back(remote, self._outer):
            remote.ended = True  # left from another context: it stays where it was, passed over
        _say(remote)


def passed_on(span: Span) -> tuple[int, str | None]:
    """The flags and the state of its trace, as the nearest that came from elsewhere has them."""
    above: Span | None = span
    while above is not None:
        if isinstance(above, RemoteSpan):
            return above.flags, above.state
        above = above.above()
    return SAMPLED, None


def _is_same_trace(span: Span, other: Span | None) -> bool:
    return other is not None and span.trace_id == other.trace_id


@guard.shielded
def _put(headers: MutableMapping[str, str], said: Mapping[str, str]) -> None:
    """Put what is said in the place of what other spans have said, however that is spelled."""
    spelled: dict[str, str] = {}
    for key in [key for key in headers if key.lower() in _NAMES]:
        name = key.lower()
        if name in spelled or name not in said:
            del headers[key]
        else:
            spelled[name] = key
    for name, value in said.items():
        headers[spelled.get(name, name)] = value


def _read(headers: Any) -> RemoteSpan | None:
    """The span that headers name; anything may have been given, and sent."""
    found: dict[str, list[str]] = {PARENT: [], STATE: []}
    try:
        pairs: Iterable[Any] = headers.items() if hasattr(headers, "items") else headers or ()
        for key, value in pairs:
            name = _text(key).lower()
            if name in _NAMES:
                found[name].append(_text(value))
        if len(found[PARENT]) != 1:  # two do not say which
            return None
        parent = parse_parent(found[PARENT][0])
        if parent is None:
            return None
        return RemoteSpan(*parent, parse_state(",".join(found[STATE])))
    except Exception:  # noqa: BLE001  as good as none
        return None


def _text(given: Any) -> str:
    return given.decode("latin-1") if isinstance(given, bytes) else str(given)


@guard.shielded
def _say(remote: RemoteSpan) -> None:
    """Send what was said about the trace, if no span below is left to do so."""
    if not remote.has_unsaid:
        return
    tracer = registry.resolve()
    if tracer is None:
        return
    running = list(tracer.pipeline.open.values())
    if not any(isinstance(one, Span) and one.top() is remote for one in running):
        remote.say(tracer.pipeline)
