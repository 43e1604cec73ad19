"""A span that is open, and the unfinished form in which it is queued when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, cast

from ollamatrace.context import (
    below,
    bridges,
    enclosing,
    make_current,
    put_back,
    remember,
    session_var,
)
from ollamatrace.guard import report, shielded, warn
from ollamatrace.ids import new_bits, process, span_hex, trace_hex
from ollamatrace.records import (
    EndReason,
    Snapshot,
    SpanRecord,
    Status,
    TraceUpdate,
    content_of,
    snapshot,
    utf8,
)
from ollamatrace.spans.failure import Failure, is_cancellation
from ollamatrace.spans.link import ids_of
from ollamatrace.spans.owner import Owner
from ollamatrace.spans.update import apply, noting, together

if TYPE_CHECKING:
    from ollamatrace.spans.remote import RemoteSpan

_SPAN_BYTES: Final = 1024
"""About what a queued span takes beside its content."""


class Span:
    """One operation, open from entering the block to leaving it.

    Made by `ollamatrace.span` or `Tracer.span`; use it as a context manager, ``with`` or ``async
    with``, for one block. It becomes the parent of what begins inside the block, also in tasks made
    there. An exception that leaves the block is noted and goes on unchanged.
    """

    __slots__ = (
        "__weakref__",
        "_attributes",
        "_begun",
        "_duration_ns",
        "_end_reason",
        "_events",
        "_failure",
        "_generation",
        "_id",
        "_inputs",
        "_links",
        "_noted",
        "_outputs",
        "_parent",
        "_parent_id",
        "_session",
        "_start_ns",
        "_status",
        "_top",
        "_trace",
        "_warnings",
        "ended",
        "is_sampled",
        "kind",
        "name",
        "outer",
        "outputs",
        "owner",
    )

    is_remote: ClassVar[bool] = False
    """Whether it stands for a span of another process."""

    def __init__(self, owner: Owner, name: str, kind: str, parent: Span | None = None) -> None:
        self.owner = owner
        self.name = name
        self.kind = kind
        self.ended = False
        """Whether it is over; what is done to it then has no effect."""
        self.is_sampled = True
        """Whether its trace is wanted by its id; what is not may be kept when it has ended."""
        self.outer: Span | None = None
        """The span that was current when this one began."""
        self.outputs: Any = None
        """What the operation gave back: any value, taken as it is when the span ends."""
        self._parent = parent
        self._generation = process.generation
        self._id: int = new_bits(64)
        self._trace = 0
        self._parent_id: int | None = None
        self._start_ns = self._begun = 0
        self._inputs: Snapshot | None = None
        self._outputs: Snapshot | None = None
        self._attributes: dict[str, Snapshot] | None = None
        self._events: list[tuple[str, int, Snapshot]] | None = None
        self._links: list[tuple[int, int]] | None = None
        self._warnings: list[str] | None = None
        self._top: Span | None = None
        """What `top` has found, which never changes."""
        self._noted: TraceUpdate | None = None
        """What is said about its trace, if it is the top span; never changed, only replaced."""

    @property
    def trace_id(self) -> str:
        """The id of its trace: 32 hex digits, all zero before it begins."""
        return trace_hex(self._trace)

    @property
    def span_id(self) -> str:
        """Its own id: 16 hex digits."""
        return span_hex(self._id)

    @property
    def is_open(self) -> bool:
        """Whether it has begun and not ended."""
        return self._trace != 0 and not self.ended

    @property
    def url(self) -> str | None:
        """The address of the page that shows its trace; ``None`` if there is no such page."""
        return self._url() if self._trace else None

    @shielded
    def _url(self) -> str | None:
        return self.owner.page(self.trace_id)

    @property
    def inputs(self) -> Any:
        """What the operation was given: any value, taken as it is when it is set."""
        return None if self._inputs is None else content_of(self._inputs, []).value

    @inputs.setter
    def inputs(self, value: Any) -> None:
        if not self.ended:
            self._inputs = snapshot(value, self.owner.capture.max_leaf_bytes)

    def set(self, key: str, value: Any) -> None:
        """Set the attribute `key` to any value, taken as it is now."""
        if self.ended:
            return
        if self._attributes is None:
            self._attributes = {}
        self._attributes[utf8(key)] = snapshot(value, self.owner.capture.max_leaf_bytes)

    def event(self, name: str, attributes: dict[str, Any] | None = None) -> None:
        """Note that something happened now."""
        if self.ended:
            return
        if self._events is None:
            self._events = []
        if not isinstance(attributes or {}, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            attributes = {"value": attributes}
        taken = snapshot(attributes or {}, self.owner.capture.max_leaf_bytes)
        now = self._start_ns + perf_counter_ns() - self._begun
        self._events.append((utf8(name), now, taken))

    @shielded
    def link(self, to: Span | tuple[str, str]) -> None:
        """Note that another span, of this trace or any, belongs with this one.

        Args:
            to: The span, once it has begun; or its trace id and its own, in hex digits.
        """
        ids = (to._trace, to._id) if isinstance(to, Span) else ids_of(to)
        if self.ended or not all(ids):  # zero: it is not recorded
            return
        if self._links is None:
            self._links = []
        if ids not in self._links:
            self._links.append(ids)

    def __enter__(self) -> Self:
        if self._trace:  # it would be above itself, and end twice
            warn("entered", "a span is entered once; make one for each block: with span(…):")
            return self
        self.begin()
        make_current(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()
        if error is None:
            self.end()
        else:
            self.fail(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def begin(self) -> None:
        """Start the clock, below the span that is current here."""
        self.outer = outer = enclosing()
        # Kept apart from what is current afterwards: it may be recorded elsewhere, and end before.
        parent = self._parent or (outer if bridges.only is None else below(outer))
        if parent is None:
            self._begin_trace()
        else:
            self._parent = parent
            if not parent._trace:
                parent = None  # it has not begun, or records nothing
            if parent is not None and (parent.owner is self.owner or parent.is_remote):
                self._trace, self._parent_id = parent._trace, parent._id
                self.is_sampled = parent.is_sampled
                if parent.is_remote:
                    cast("RemoteSpan", parent).mark(self)
            else:
                self._begin_trace()
                if parent is not None:
                    # No destination ever gets a span whose parent it will never see.
                    self.link(parent)
        self._session: str | None = session_var.get()
        self.owner.pipeline.open[self._id] = self
        self._begun = perf_counter_ns()
        if self._parent_id is None or parent is None:
            self._start_ns = time_ns()
        else:  # by one clock: no span of a trace is outside of its parent because clocks are set
            self._start_ns = parent._start_ns + self._begun - parent._begun

    def _begin_trace(self) -> None:
        self._trace = new_bits(128)
        sampler = self.owner.pipeline.sampler
        if not sampler.takes_all:
            self.is_sampled = sampler.begins(self._trace)

    def leave(self) -> None:
        """Make the outer span current again."""
        put_back(self, self.outer)

    def end(self, status: Status = "OK", reason: EndReason = "returned") -> None:
        """End it, once: who comes second, in whichever thread, changes nothing."""
        if self._end(status, reason, None):
            remember(self._trace, self.owner.reference)

    def fail(self, error: BaseException) -> None:
        """End it with an exception: as an error, or as cancelled."""
        cancelled = is_cancellation(error)
        status: Status = "CANCELLED" if cancelled else "ERROR"
        if self._end(status, "cancelled" if cancelled else "error", error):
            remember(self._trace, self.owner.reference)

    def abandon(self) -> None:
        """End it because the program goes away and leaves it open.

        The garbage collector comes here, maybe in the middle of a ``ContextVar.set``: CPython 3.11
        crashes if another variable is set then. So no variable is touched.
        """
        self._end("OK", "abandoned", None)

    def _end(self, status: Status, reason: EndReason, error: BaseException | None) -> bool:
        """Do what ends have in common; says whether this is the one that counts."""
        duration = perf_counter_ns() - self._begun
        pipeline = self.owner.pipeline
        here = self._generation == process.generation
        open_till_now = here and not self.ended
        try:
            ends = pipeline.open.pop(self._id, None) is not None and here
            if ends:
                self._settle(status, reason, error, duration)
        except BaseException:  # Ctrl-C in the middle: once it is out of `open`, it is to be queued
            if open_till_now and self._id not in pipeline.open and not pipeline.holds(self):
                self._settle(status, reason, None, duration)
            raise
        return ends

    def _settle(
        self, status: Status, reason: EndReason, error: BaseException | None, duration: int
    ) -> None:
        self.ended = True
        self._duration_ns = duration
        self._status: Status = status
        self._end_reason: EndReason = reason
        self._failure: Failure | None = (
            None if error is None else _failure(error, self._start_ns + duration)
        )
        try:
            pipeline = self.owner.pipeline
            if not (self.is_sampled or pipeline.sampler.may_keep(self._trace)):
                pipeline.leave_out(self, self._trace, self._size())
                return
            if self.outputs is not None:
                self._outputs = snapshot(self.outputs, self.owner.capture.max_leaf_bytes)
                self.outputs = None
            if not pipeline.put(self, self._size()) and not self.is_sampled:
                pipeline.sampler.give_up(self._trace)
            above = self._parent or self.outer
            if above is not None and above.is_remote and (top := above.top()).is_remote:
                cast("RemoteSpan", top).settled_below(pipeline)
        except Exception as failure:  # noqa: BLE001  shielded in place: a call more would be felt
            report("Span._settle", failure)

    def finish(self) -> SpanRecord:
        """Make the record; called once, by the worker."""
        record = SpanRecord(
            name=utf8(self.name),
            kind=utf8(self.kind),
            trace_id=trace_hex(self._trace),
            span_id=span_hex(self._id),
            parent_id=None if self._parent_id is None else span_hex(self._parent_id),
            start_ns=self._start_ns,
            end_ns=self._start_ns + self._duration_ns,
            status=self._status,
            end_reason=self._end_reason,
            links=[
                {"trace_id": trace_hex(trace), "span_id": span_hex(span)}
                for trace, span in tuple(self._links or ())
            ],
            session=self._session,
        )
        # Copies: a late `set` in another thread must not change them in the middle.
        for key, value in dict(self._attributes or {}).items():
            record.attributes[key] = content_of(value, record.warnings).value
        for name, at_ns, value in tuple(self._events or ()):
            attributes = content_of(value, record.warnings).value
            record.events.append({"name": name, "time_ns": at_ns, "attributes": attributes})
        if self._inputs is not None:
            record.input_content = content_of(self._inputs, record.warnings)
        if self._outputs is not None:
            record.output_content = content_of(self._outputs, record.warnings)
        if self._failure is not None:
            record.status_message = self._failure.status_message
            if self._status == "ERROR":
                record.events.append(self._failure.event())
        record.warnings += self._warnings or ()
        noted = self.top()._noted
        if noted is not None:
            apply(noted, record)
        return record

    def top(self) -> Span:
        """The outermost span of its trace known in this process: the root, if that is here.

        Below a span of another process it is what stands for that.
        """
        passed: list[Span] = []
        span = self
        while span._top is None and (above := span.above()) is not None:
            passed.append(span)
            span = above
        top = span._top or span
        for one in passed:  # a loop of tasks, each begun by the one before, has no end
            one._top = top
        return top

    def above(self) -> Span | None:
        """The one above it in its trace, if that is known in this process."""
        above = self._parent or self.outer
        return above if above is not None and above._trace == self._trace else None

    def note(self, update: TraceUpdate) -> bool:
        """Have this span, which is a top one, and all that end below it carry `update`.

        Returns:
            Whether it does: it ends later, and in this process.
        """
        with noting.lock:
            self._noted = together(self._noted, update)
        return not self.ended and self._generation == process.generation

    def warn(self, text: str) -> None:
        """Note something that whoever looks at the span should know."""
        if self._warnings is None:
            self._warnings = []
        self._warnings.append(text)

    def _size(self) -> int:
        size = _SPAN_BYTES + len(self._inputs or b"") + len(self._outputs or b"")
        if self._attributes is not None:
            size += sum(map(len, tuple(self._attributes.values())))  # copies, as in `finish`
        if self._events is not None:
            size += sum(len(taken) for _, _, taken in tuple(self._events))
        return size


@shielded
def _failure(error: BaseException, time_ns: int) -> Failure:
    return Failure(error, time_ns)
