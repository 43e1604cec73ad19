"""What is said about a trace: noted on its top span, or, once that has ended, sent after it."""

from __future__ import annotations

import os
import threading
from typing import Final

from ollamatrace.records import SpanRecord, TraceUpdate

_UPDATE_BYTES: Final = 512
"""About what a queued update takes beside its texts."""


class _Noting:
    """The lock under which something is noted: two threads may speak about one trace."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Take a new one in the child of a fork: a thread that it does not have may hold it."""
        self.lock = threading.RLock()  # a signal handler may come in between


noting: Final = _Noting()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=noting.renew)


class QueuedUpdate:
    """A `TraceUpdate` on its way through the queue."""

    is_sampled = False
    """It goes with the spans of its trace."""
    __slots__ = ("_update", "size")

    def __init__(self, update: TraceUpdate) -> None:
        self._update = update
        texts = (*update.tags, *update.tags.values(), *update.metadata, *update.metadata.values())
        named = (update.session or "", update.user or "", update.name or "")
        self.size = _UPDATE_BYTES + sum(map(len, (*named, *texts)))
        """About how many bytes it takes."""

    def finish(self) -> TraceUpdate:
        """The update; there was nothing left to do."""
        return self._update


def together(first: TraceUpdate | None, then: TraceUpdate) -> TraceUpdate:
    """Both updates of a trace as one; what the later one says counts."""
    if first is None:
        return then
    return TraceUpdate(
        trace_id=then.trace_id,
        session=first.session if then.session is None else then.session,
        user=first.user if then.user is None else then.user,
        tags={**first.tags, **then.tags},
        metadata={**first.metadata, **then.metadata},
        name=first.name if then.name is None else then.name,
    )


def apply(update: TraceUpdate, record: SpanRecord) -> None:
    """Change a record of the trace as `update` says; the name is that of its root."""
    if update.session is not None:
        record.session = update.session
    if update.user is not None:
        record.user = update.user
    record.tags = {**record.tags, **update.tags}
    record.metadata = {**record.metadata, **update.metadata}
    if update.name is not None and record.parent_id is None:
        record.name = update.name
