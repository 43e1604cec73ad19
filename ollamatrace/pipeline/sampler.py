"""Which traces are recorded: decided by their id, or, by rules, when they have ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ollamatrace import guard
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


class Sampler:
    """Decides once for each trace, so that no span is recorded without the one above it.

    A trace whose id says no is held back, on the worker, until its top span has ended, if there
    are rules that may keep it; what comes later follows. When there is no more room for that, the
    oldest is decided by what is there of it.

    Args:
        sampling: The share, and the rules.
        delivery: How much may wait in all.
        told: Called with warnings.
    """

    def __init__(
        self, sampling: Sampling, delivery: Delivery, told: Callable[[str], None] | None
    ) -> None:
        self.has_rules = bool(sampling.keep)
        """Whether what is not wanted by its id may be kept."""
        self.final = False
        """Nothing more comes: all is decided by what is there."""
        self._bound = round(sampling.ratio * (1 << _BITS))
        self._rules = [_KEEP[one] if isinstance(one, str) else one for one in sampling.keep]
        self._told = told
        self._most_spans = delivery.max_spans // _SHARE
        self._most_bytes = delivery.max_bytes // _SHARE
        self.forget()

    def forget(self) -> None:
        """Start anew in the child after a fork."""
        self._held: dict[str, list[Sized]] = {}
        self._kept: dict[str, None] = {}
        self._left_out: dict[str, None] = {}
        self._held_spans = self._held_bytes = 0

    @property
    def holds(self) -> bool:
        """Whether something waits for the end of its trace."""
        return bool(self._held)

    def wants(self, trace: int) -> bool:
        """Whether a trace that begins here is wanted by its id. On any thread."""
        return trace & ((1 << _BITS) - 1) < self._bound

    def leave_out(self, trace_id: str) -> None:
        """Remember that nothing of a trace is recorded. On any thread."""
        _remember(self._left_out, trace_id)

    def sift(self, given: Sized, *, wanted: bool) -> tuple[list[Sized], list[Sized]]:
        """What is recorded now that `given` has come, and what is left out.

        Args:
            given: A span, or an update of its trace.
            wanted: Whether the span is, by the id of its trace.
        """
        record = given.record
        trace_id = record.trace_id
        if wanted or trace_id in self._kept:
            return [given], []
        if trace_id in self._left_out:
            return [], [given]
        if isinstance(record, SpanRecord) or trace_id in self._held:
            self._hold(given)
        else:
            return [given], []
        if isinstance(record, SpanRecord) and record.is_top:
            return self._decide(trace_id)
        return self._make_room()

    def rest(self) -> tuple[list[Sized], list[Sized]]:
        """Decide all that waits."""
        kept: list[Sized] = []
        left_out: list[Sized] = []
        for trace_id in list(self._held):
            more_kept, more_left_out = self._decide(trace_id)
            kept += more_kept
            left_out += more_left_out
        return kept, left_out

    def _hold(self, given: Sized) -> None:
        self._held.setdefault(given.record.trace_id, []).append(given)
        self._held_spans += 1
        self._held_bytes += given.size

    def _make_room(self) -> tuple[list[Sized], list[Sized]]:
        if self._held_spans <= self._most_spans and self._held_bytes <= self._most_bytes:
            return [], []
        guard.warn(
            f"sampling:{id(self)}",
            "more spans wait for the end of their trace than there is room for: the oldest trace "
            "is kept or left out by what is there of it; see Delivery(max_spans=, max_bytes=)",
            self._told,
        )
        return self._decide(next(iter(self._held)))

    def _decide(self, trace_id: str) -> tuple[list[Sized], list[Sized]]:
        held = self._held.pop(trace_id)
        self._held_spans -= len(held)
        self._held_bytes -= sum(one.size for one in held)
        spans = [one.record for one in held if isinstance(one.record, SpanRecord)]
        trace = Trace(trace_id, tuple(sorted(spans, key=lambda span: span.start_ns)))
        if any(self._asked(rule, trace) for rule in self._rules):
            _remember(self._kept, trace_id)
            return held, []
        self.leave_out(trace_id)
        return [], held

    def _asked(self, rule: Callable[[Trace], object], trace: Trace) -> bool:
        try:
            return bool(rule(trace))
        except Exception as error:  # noqa: BLE001  the program's own
            guard.warn(
                f"keep:{id(self)}",
                f"a rule of Sampling(keep=…) raised {type(error).__name__}: {error}; the trace is "
                "kept",
                self._told,
            )
            return True


def _remember(traces: dict[str, Any], trace_id: str) -> None:
    traces[trace_id] = None
    while len(traces) > _REMEMBERED:
        try:
            del traces[next(iter(traces))]
        except (KeyError, RuntimeError):  # another thread was quicker
            return
