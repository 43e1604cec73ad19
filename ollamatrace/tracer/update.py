"""What `update_trace` does: find the trace that is meant, and bring the update to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ollamatrace import guard
from ollamatrace.context import (
    LONGEST_SESSION,
    innermost,
    last_var,
)
from ollamatrace.ids import trace_hex
from ollamatrace.records import TraceUpdate, utf8
from ollamatrace.settings import is_disabled
from ollamatrace.spans import Owner, QueuedUpdate, RemoteSpan, Span
from ollamatrace.tracer.lookup import registry

_LONGEST: Final = {
    "session": LONGEST_SESSION,
    "user": 250,
    "tags": 4096,
    "metadata": 250,
    "name": 4096,
    "client_request_id": 50,
    "request_preview": 1000,
    "response_preview": 1000,
}
"""Characters of a text that MLflow keeps."""
_LONGEST_KEY: Final = 250
"""Characters of a key of tags or metadata; MLflow takes no longer one."""


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
    last = last_var.get()
    if last is None:
        # A program whose tracing is switched off has done nothing wrong.
        if not is_disabled():
            guard.warn(
                "update_trace",
                "update_trace: no span is open here, and none has ended in this task or thread; "
                "call it inside of a span or after one",
            )
        return None
    trace_id, owner = trace_hex(last[0]), last[1]()
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


def text_of(what: str, given: object) -> str | None:
    """Any value as text, ``None`` stays; a text that MLflow will cut is warned about."""
    return None if given is None else _text(what, given)


def texts_of(what: str, given: Any) -> dict[str, str]:
    """Tags or metadata with keys and values as text; what is no mapping is warned about."""
    try:
        return {_key(what, key): _text(what, value) for key, value in dict(given or {}).items()}
    except Exception:  # noqa: BLE001  anything may have been given
        guard.warn(
            f"update_trace:{what}",
            f"update_trace: {what} takes a mapping of texts, not {type(given).__name__}",
        )
        return {}


def _text(what: str, given: object) -> str:
    text, longest = utf8(given), _LONGEST[what]
    if len(text) > longest and not is_disabled():
        guard.warn(
            f"update_trace:{what} cut",
            f"update_trace: {what} of {len(text)} characters; MLflow keeps the first {longest} of "
            "them",
        )
    return text


def _key(what: str, given: object) -> str:
    key = utf8(given)
    if len(key) > _LONGEST_KEY and not is_disabled():
        guard.warn(
            f"update_trace:{what} key",
            f"update_trace: {what} with a key of {len(key)} characters, of which MLflow takes "
            f"{_LONGEST_KEY} at most: it is left out there",
        )
    return key
