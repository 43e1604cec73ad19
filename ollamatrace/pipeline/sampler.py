"""Which traces are recorded: decided by their id, or, by rules, when they have ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ollamatrace import guard
from ollamatrace.ids import trace_hex
from ollamatrace.records import Record, SpanRecord, Trace
from ollamatrace.settings import Delivery, Sampling

_BITS: Final = 64
"""How much of a trace id decides, as in OpenTelemetry: its last 64 bits are random."""
_REMEMBERED: Final = 10_000
"""Traces of which it is remembered that they are left out."""
_SHARE: Final = 4
"""What waits for the end of its trace may take a quarter of the room of the queue."""

_KEEP: Final[dict[str, Callable[[Trace], object]]] = {
    "errors": lambda trace: any(span.status == "ERROR" for span in trace.spans),
    "warnings": lambda trace: any(span.warnings for span in trace.spans),
}


class Sized(NamedTuple):
    """A record and the room that it takes in the queue, in bytes."""

    record: Record
    size: int


Sifted = tuple[list[Sized], list[Sized]]
"""What is recorded, and what is left out."""


class Sampler:
    """Decides once for each trace, so that no span is recorded without the one above it.

    A trace that begins here and whose id says no is held back, on the worker, until its top span
    has ended, if there are rules that may keep it; what comes later follows. When there is no more
    room for that, the oldest is decided by what is there of it. A trace that began elsewhere, in
    the parent of a forked process too, is as it was decided there.

    Args:
        sampling: The share, and the rules.
        delivery: How much may wait in all.
        told: Called with warnings.
    """

    def __init__(
        self, sampling: Sampling, delivery: Delivery, told: Callable[[str], None] | None
    ) -> None:
        self.final = False
        """Nothing more comes: all is decided by what is there."""
        self._bound = round(sampling.ratio * (1 << _BITS))
        self.takes_all = self._bound == 1 << _BITS
        """Whether every trace that begins here is wanted."""
        self._rules = [_KEEP[one] if isinstance(one, str) else one for one in sampling.keep]
        self._told = told
        self._most_spans = delivery.max_spans // _SHARE
        self._most_bytes = delivery.max_bytes // _SHARE
        self.forget()

    def forget(self) -> None:
        """Start anew in the child after a fork."""
        self._undecided: dict[int, None] = {}
        """Traces that have begun here, and that rules are asked about."""
        self._overdue: deque[int] = deque()
        """Those of them whose end will not come."""
        self._held: dict[int, list[Sized]] = {}
        self._kept: dict[int, None] = {}
        self._left_out: dict[int, None] = {}
        self._held_spans = self._held_bytes = 0

    # On any thread

    def wants(self, trace: int) -> bool:
        """Whether a trace is wanted by its id."""
        return trace & ((1 << _BITS) - 1) < self._bound

    def begins(self, trace: int) -> bool:
        """Whether a trace that begins here is wanted by its id; if not, rules may be asked."""
        wanted = self.wants(trace)
        if not wanted and self._rules:
            self._undecided[trace] = None
        return wanted

    def may_keep(self, trace: int) -> bool:
        """Whether what its id does not want may be recorded nevertheless."""
        return trace in self._undecided or trace in self._kept

    def leave_out(self, trace: int) -> None:
        """Remember that nothing of a trace is recorded."""
        _remember(self._left_out, trace)

    def give_up(self, trace: int) -> None:
        """Decide a trace by what is there: a span of it is lost, maybe that which ends it."""
        if trace in self._undecided:
            self._overdue.append(trace)

    # On the worker

    @property
    def is_due(self) -> bool:
        """Whether something that is held back is to be decided now."""
        return bool(self._overdue) or (self.final and bool(self._held))

    def sift(self, given: Sized, *, wanted: bool) -> Sifted:
        """What is recorded now that `given` has come, and what is left out.

        Args:
            given: A span, or an update of its trace.
            wanted: Whether it is a span of a trace that is wanted: by its id, or elsewhere.
        """
        record = given.record
        trace = int(record.trace_id, 16)
        if wanted and not self.wants(trace):
            _remember(self._kept, trace)
        if wanted or trace in self._kept:
            return [given], []
        if trace in self._undecided:
            self._hold(trace, given)
            is_end = isinstance(record, SpanRecord) and record.is_top
            return self._decide(trace) if is_end else self._make_room()
        if isinstance(record, SpanRecord) or trace in self._left_out or not self.wants(trace):
            return [], [given]
        return [given], []

    def due(self) -> Sifted:
        """Decide what is to be decided without its end."""
        kept: list[Sized] = []
        left_out: list[Sized] = []
        while self._overdue or (self.final and self._held):
            trace = self._overdue.popleft() if self._overdue else next(iter(self._held))
            more_kept, more_left_out = self._decide(trace)
            kept += more_kept
            left_out += more_left_out
        return kept, left_out

    def _hold(self, trace: int, given: Sized) -> None:
        self._held.setdefault(trace, []).append(given)
        self._held_spans += 1
        self._held_bytes += given.size

    def _make_room(self) -> Sifted:
        if self._held_spans <= self._most_spans and self._held_bytes <= self._most_bytes:
            return [], []
        guard.warn(
            f"sampling:{id(self)}",
            "more spans wait for the end of their trace than there is room for: the oldest trace "
            "is kept or left out by what is there of it; see Delivery(max_spans=, max_bytes=)",
            self._told,
        )
        return self._decide(next(iter(self._held)))

    def _decide(self, trace_id: int) -> Sifted:
        held = self._held.pop(trace_id, [])
        self._held_spans -= len(held)
        self._held_bytes -= sum(one.size for one in held)
        spans = [one.record for one in held if isinstance(one.record, SpanRecord)]
        trace = Trace(trace_hex(trace_id), tuple(sorted(spans, key=lambda span: span.start_ns)))
        kept = bool(spans) and any(self._asked(rule, trace) for rule in self._rules)
        # First remembered, then no longer undecided: other threads look in between.
        _remember(self._kept if kept else self._left_out, trace_id)
        self._undecided.pop(trace_id, None)
        return (held, []) if kept else ([], held)

    def _asked(self, rule: Callable[[Trace], object], trace: Trace) -> bool:
        try:
            return bool(rule(trace))
        except BaseException as error:  # noqa: BLE001  the program's own; the worker goes on
            guard.warn(
                f"keep:{id(self)}",
                f"a rule of Sampling(keep=…) raised {type(error).__name__}: {error}; the trace is "
                "kept",
                self._told,
            )
            return True


def _remember(traces: dict[int, None], trace: int) -> None:
    traces[trace] = None
    while len(traces) > _REMEMBERED:
        try:
            del traces[next(iter(traces))]
        except (KeyError, RuntimeError):  # another thread was quicker
            return
