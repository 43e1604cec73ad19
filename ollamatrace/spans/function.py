"""The spans of traced functions and of traced generators."""

from __future__ import annotations

from typing import Any, Final
from weakref import ref

from ollamatrace.context import Place, current_span, go, make_current, place
from ollamatrace.guard import report, shielded
from ollamatrace.records import (
    Content,
    EndReason,
    Snapshot,
    SpanRecord,
    Status,
    content_of,
    snapshot,
)
from ollamatrace.spans.owner import Owner
from ollamatrace.spans.span import Span

FUNCTION: Final = "code.function.name"
"""The attribute with the qualified name of the function, as OpenTelemetry calls it."""
MOST_ITEMS: Final = 10_000
"""Items of one generator that are kept."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of them after which no other is kept."""
_WHOLE: Final = 64 * 1024
"""Bytes up to which they are put together as they are: see `ollamatrace.records.plain`."""
_ITEM_BYTES: Final = 64


class FunctionSpan(Span):
    """One call of a traced function. What it does besides `Span` cannot raise."""

    __slots__ = ()

    def __init__(self, owner: Owner, name: str, kind: str, function: Snapshot) -> None:
        Span.__init__(self, owner, name, kind)
        self._attributes = {FUNCTION: function}

    def enter(self, inputs: dict[str, Any]) -> None:
        """Begin with these arguments."""
        try:
            self._inputs = snapshot(inputs, self.owner.capture.max_leaf_bytes)
            self.begin()
            make_current(self)
        except Exception as error:  # noqa: BLE001  shielded in place: a call more would be felt
            report("FunctionSpan.enter", error)

    def returned(self, result: Any) -> None:
        """It gave `result`, which is the output unless the function has set another."""
        try:
            self.leave()
            if self.outputs is None:
                self.outputs = result
            self.end()
        except Exception as error:  # noqa: BLE001  as above
            report("FunctionSpan.returned", error)

    @shielded
    def raised(self, error: BaseException) -> None:
        """It raised, or was given up."""
        if isinstance(error, GeneratorExit):  # maybe the garbage collector's: see `abandon`
            self._end("CANCELLED", "cancelled", error)
        else:
            self.leave()
            self.fail(error)


class GeneratorSpan(FunctionSpan):
    """One generator of a traced function, current only while the function's body runs."""

    __slots__ = (
        "_entered",
        "_inside",
        "_items",
        "_left_out",
        "_outside",
        "_runs",
        "_watch",
        "_weight",
    )

    def __init__(self, owner: Owner, name: str, kind: str, function: Snapshot) -> None:
        super().__init__(owner, name, kind, function)
        # Where the body runs may be far away: behind a web framework, in another task.
        self._parent = current_span()
        self._inside: Place | None = None
        """What is current in the body besides this span: one may be open across a ``yield``."""
        self._outside: Place | None = None
        self._entered: Any = None
        """What another tracing system had as current when the body went on."""
        self._runs = False
        self._items: list[Snapshot] = []
        self._weight = 0
        self._left_out = 0
        self._watch: _Watch | None = None

    def watch(self, generator: Any) -> None:
        """Be abandoned when nobody holds `generator` any more."""
        self._watch = _Watch(generator, _gone)
        self._watch.span = self

    def dropped(self) -> None:
        """Nobody holds the generator any more."""
        self._watch = None
        self.abandon()

    @shielded
    def start(self, inputs: dict[str, Any]) -> None:
        """Begin with these arguments: the body is about to run for the first time."""
        self.inputs = inputs
        if current_span() is not None:
            self._parent = None
        self.begin()

    def resume(self) -> None:
        """The body goes on."""
        if not self.ended:  # else it is being collected: see `abandon`
            self._outside = place()
            self._runs = True
            if self._inside is None:
                make_current(self)
            else:
                go(self._inside)
            self._entered = place()[1]

    def pause(self) -> None:
        """The body stands still or is over: what was current outside is so again."""
        if not self._runs:
            return
        self._runs = False
        outside, entered = self._outside, self._entered
        self._outside = self._entered = None
        inside = place()
        above = inside[0]
        while above is not None and above is not self:
            above = above.outer
        if above is self and outside is not None:  # else the step ends in another context
            is_alone = inside[0] is self and inside[1] is entered
            self._inside = None if is_alone else inside
            go(outside)

    @shielded
    def item(self, value: Any) -> None:
        """The body has yielded `value`, which is kept as it is now."""
        if self.ended:
            return
        if len(self._items) >= MOST_ITEMS or self._weight >= MOST_BYTES:
            self._left_out += 1
            return
        taken = snapshot(value, self.owner.capture.max_leaf_bytes)
        self._items.append(taken)
        self._weight += _ITEM_BYTES + (len(taken) if isinstance(taken, bytes) else taken.size)

    @shielded
    def exhausted(self, value: Any, *, closing: bool) -> None:
        """The body returned `value`."""
        self.pause()
        if value is not None:
            self.set("return_value", value)
        self.end("OK", "closed" if closing else "exhausted")

    @shielded
    def broken(self, error: BaseException, *, closing: bool) -> None:
        """The body raised.

        Args:
            error: What it raised.
            closing: Whether it had been told to come to its end.
        """
        if not isinstance(error, GeneratorExit):
            self.pause()
            self.fail(error)
        elif closing:
            self.pause()
            self.end("OK", "closed")
        else:  # who awaited the next item is gone, maybe collected
            self.abandon()

    def _settle(
        self, status: Status, reason: EndReason, error: BaseException | None, duration: int
    ) -> None:
        self._watch = None
        super()._settle(status, reason, error, duration)

    def _size(self) -> int:
        return super()._size() + self._weight

    def finish(self) -> SpanRecord:
        """Make the record: the items are its output unless the body has set another."""
        record = super().finish()
        items = tuple(self._items)
        if self._outputs is None and (items or self._status == "OK"):
            record.output_content = self._content(items, record.warnings)
            if self._left_out:
                record.warnings.append(
                    f"outputs: the first {len(items):,} of {len(items) + self._left_out:,} items"
                )
        return record

    def _content(self, items: tuple[Snapshot, ...], warnings: list[str]) -> Content:
        if self._weight <= _WHOLE:
            whole = [item for item in items if isinstance(item, bytes)]
            if len(whole) == len(items):
                return Content(json=b"[%b]" % b",".join(whole))
        told: list[str] = []
        content = Content([content_of(item, told).value for item in items])
        warnings += dict.fromkeys(told)  # each once: there may be thousands of items
        return content


class _Watch(ref[Any]):
    """Sees a generator go, before its own cleaning up."""

    __slots__ = ("span",)
    span: GeneratorSpan


def _gone(watch: Any) -> None:
    watch.span.dropped()
