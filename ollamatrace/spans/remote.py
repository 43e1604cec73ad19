"""What stands for a span that is recorded elsewhere: in another process, or by another tracer."""

from __future__ import annotations

import time
from typing import ClassVar, Final, cast

from ollamatrace.pipeline import Pipeline
from ollamatrace.records import PARENT, TraceUpdate
from ollamatrace.spans.owner import Owner
from ollamatrace.spans.span import Span
from ollamatrace.spans.update import QueuedUpdate, noting, together

SAMPLED: Final = 0x01
"""The trace flag of W3C Trace Context that says that a trace is recorded."""
_KIND: Final = "UNKNOWN"
_OTHER: Final = "opentelemetry"


class RemoteSpan(Span):
    """A span of another process or tracer: it has ids, is a parent, and is not recorded here.

    Spans of any tracer may begin below it. What is said about its trace is noted on it, so that
    all of them carry it; what only a change of the trace can say goes out after the first of them
    has ended, as a server does not know the trace before.
    """

    __slots__ = ("_is_known", "_unsaid", "flags", "is_continued", "is_here", "state")

    is_remote: ClassVar[bool] = True

    def __init__(
        self,
        trace: int,
        span: int,
        flags: int,
        state: str | None,
        *,
        is_here: bool = False,
        is_continued: bool = False,
        outer: Span | None = None,
    ) -> None:
        super().__init__(cast("Owner", None), "", _KIND)  # it asks nothing of an owner
        self._trace, self._id = trace, span
        self.outer = outer
        above = self.above()
        if above is not None:
            self._start_ns, self._begun = above._start_ns, above._begun
        else:  # the clock of what begins below: nothing is known of the one over there
            self._start_ns, self._begun = time.time_ns(), time.perf_counter_ns()
        self.flags = flags
        """Its trace flags, to be passed on."""
        # Between spans of ours it is as they are: no span is recorded without the one above it.
        self.is_sampled = bool(flags & SAMPLED) if above is None else above.is_sampled
        self.state = state
        """Its trace state, to be passed on."""
        self.is_here = is_here
        """Whether it is one of this process, which another tracer records."""
        self.is_continued = is_continued
        """Whether it goes on with a trace of another process."""
        self._unsaid = False
        self._is_known = False
        """A span below it has gone out: whoever gets a change after it knows the trace."""

    def mark(self, span: Span) -> None:
        """Have `span`, which begins below it, say so if its tracer records nothing above."""
        top: Span = self
        while (above := top.above()) is not None:
            if above.owner is span.owner:
                return
            top = above
        if isinstance(top, RemoteSpan) and (top.is_continued or not top.is_here):
            return  # the process over there may record it
        span.set(PARENT, _OTHER)

    def note(self, update: TraceUpdate) -> bool:
        """Have all that end below it carry `update`, and the last of it go out with them."""
        with noting.lock:
            self._noted = together(self._noted, update)
            self._unsaid = True
        return True

    @property
    def has_unsaid(self) -> bool:
        """Whether something is noted that has not gone out."""
        return self._unsaid

    def settled_below(self, pipeline: Pipeline) -> None:
        """A span below it has gone out through `pipeline`: what is noted goes after it."""
        self._is_known = True
        self.say(pipeline)

    def say_if_known(self, pipeline: Pipeline) -> None:
        """Send what is noted, unless it has to wait for a span."""
        if self._is_known:
            self.say(pipeline)

    def say(self, pipeline: Pipeline) -> None:
        """Send what is noted and has not gone out."""
        if not self._unsaid or not self.is_sampled:
            return
        with noting.lock:
            noted = self._noted if self._unsaid else None
            self._unsaid = False
        if noted is not None:
            queued = QueuedUpdate(noted)
            if not pipeline.put(queued, queued.size, spans=0):
                self._unsaid = True  # the next span below tries again
