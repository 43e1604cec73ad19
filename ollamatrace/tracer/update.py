"""What `update_trace` does: find the trace that is meant, and bring the update to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ollamatrace import guard
from ollamatrace.context import innermost, last_owner_var, last_trace_id
from ollamatrace.records import TraceUpdate, utf8
from ollamatrace.settings import Environment
from ollamatrace.spans import Owner, QueuedUpdate, RemoteSpan, Span
from ollamatrace.tracer.lookup import registry

_LONGEST_SESSION: Final = 250
"""Characters of a session id that MLflow keeps."""


def bring(**said: Any) -> None:
    """Bring an update to the trace of the current span, else to the last one here.

    Args:
        said: The fields of a `TraceUpdate` but its id.
    """
    here = innermost()
    top = None if here is None else here.top()
    if here is not None and here.is_remote and isinstance(top, RemoteSpan):
        _bring_remote(top, said)
        return
    found = _meant(here, top)
    if found is None:
        return
    owner, trace_id, tops = found
    update = TraceUpdate(trace_id=trace_id, **said)
    # First noted, then looked whether that was in time: the root may be ending in another thread.
    carried = [top.note(update) for top in tops]
    if not carried or not all(carried):
        queued = QueuedUpdate(update)
        if not owner.pipeline.put(queued, queued.size, spans=0):
            _lost(trace_id, "its tracer is closed, or too much is waiting already")


def _bring_remote(remote: RemoteSpan, said: dict[str, Any]) -> None:
    """No span is open here, but one recorded elsewhere is the parent of what begins."""
    tracer = registry.resolve()
    if tracer is not None and tracer.is_recording:
        remote.note(TraceUpdate(trace_id=remote.trace_id, **said))
        remote.say_if_known(tracer.pipeline)


def _meant(here: Span | None, top: Span | None) -> tuple[Owner, str, Iterable[Span]] | None:
    """The trace's tracer, its id, and its top spans here, as far as they are known."""
    if here is not None and top is not None:
        recorded = top if here.is_remote else here
        return recorded.owner, here.trace_id, [top]
    trace_id, last = last_trace_id(), last_owner_var.get()
    if trace_id is None or last is None:
        # A program whose tracing is switched off has done nothing wrong.
        if not Environment.read().disabled:
            guard.warn(
                "update_trace",
                "update_trace: no span is open here, and none has ended in this task or thread; "
                "call it inside of a span or after one",
            )
        return None
    owner = last()
    if owner is None:
        _lost(trace_id, "its tracer is no longer there")
        return None
    if not owner.is_recording:  # what runs now is not recorded: the trace before is not meant
        return None
    # A stream may still go on below a root that has ended, or the root in another thread.
    running = [one for one in list(owner.pipeline.open.values()) if isinstance(one, Span)]
    return owner, trace_id, {one.top() for one in running if one.trace_id == trace_id}


def _lost(trace_id: str, why: str) -> None:
    guard.warn("update_trace:lost", f"update_trace: the trace {trace_id} stays as it is: {why}")


def session_of(given: object) -> str | None:
    """A session id as text; one that MLflow will cut is warned about."""
    session = text_or_none(given)
    if session is not None and len(session) > _LONGEST_SESSION:
        guard.warn(
            "update_trace:session",
            f"update_trace: a session id of {len(session)} characters; MLflow keeps the first "
            f"{_LONGEST_SESSION} of them",
        )
    return session


def text_or_none(given: object) -> str | None:
    """Any value as text; ``None`` stays."""
    return None if given is None else _text(given)


def texts_of(what: str, given: Any) -> dict[str, str]:
    """Tags or metadata with keys and values as text; what is no mapping is warned about."""
    try:
        return {_text(key): _text(value) for key, value in dict(given or {}).items()}
    except Exception:  # noqa: BLE001  anything may have been given
        guard.warn(
            f"update_trace:{what}",
            f"update_trace: {what} takes a mapping of texts, not {type(given).__name__}",
        )
        return {}


def _text(value: object) -> str:
    try:
        return utf8(value)
    except Exception:  # noqa: BLE001  the value's own __str__
        return f"<{type(value).__name__}>"
