"""A trace across processes: `inject` here, `extract` there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from ollamatrace import guard
from ollamatrace.context import enclosing, innermost, make_current, put_back
from ollamatrace.spans import SAMPLED, RemoteSpan, Span
from ollamatrace.tracer.lookup import registry
from ollamatrace.tracer.traceparent import (
    PARENT,
    STATE,
    Parent,
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

    __slots__ = ("_entered", "_named")

    def __init__(self, headers: Headers | None) -> None:
        self._named = _read(headers)
        self._entered: list[RemoteSpan | None] = []
        """One for each time: it may be entered in its own block, and by several threads."""

    def __enter__(self) -> Self:
        if self._named is None:
            return self
        parent, state = self._named
        remote = RemoteSpan(*parent, state, outer=enclosing())
        if _is_below(innermost(), remote):
            self._entered.append(None)
        else:
            self._entered.append(remote)
            make_current(remote)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        remote = self._entered[-1] if self._entered else None
        if remote is None:
            del self._entered[-1:]
            return
        here = enclosing()
        if isinstance(here, RemoteSpan) and here in self._entered:
            remote = here
        self._entered.remove(remote)
        if not put_back(remote, remote.outer):
            remote.ended = True  # left from another context: it stays where it was, passed over
        _say(remote)


def passed_on(span: Span) -> tuple[int, str | None]:
    """The flags and the state of its trace, as the nearest that came from elsewhere has them."""
    above: Span | None = span
    while above is not None:
        if isinstance(above, RemoteSpan):
            return above.flags, above.state
        above = above.above()
    return SAMPLED if span.is_sampled else 0, None


def _is_below(here: Span | None, remote: Span) -> bool:
    """Whether a block around, or another tracer, has gone on with the trace from `remote`."""
    above = here
    while above is not None and not isinstance(above, RemoteSpan):
        above = above.above()
    if above is None or above.trace_id != remote.trace_id:
        return False
    return above.span_id == remote.span_id or (
        above.is_here and (above is here or above.is_continued)
    )


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


def _read(headers: Any) -> tuple[Parent, str | None] | None:
    """The span that headers name, and the trace state; anything may have been given, and sent."""
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
        return parent, parse_state(",".join(found[STATE]))
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
