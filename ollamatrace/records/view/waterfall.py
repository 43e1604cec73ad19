"""When the spans of a trace ran, as bars on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ollamatrace.records.view.turns import MODEL_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ollamatrace.records import SpanRecord

_TOOLS: Final = frozenset({"TOOL", "RETRIEVER"})
_STATUS: Final = {"ERROR": "bar bad", "CANCELLED": "bar warn"}
_RIGHTMOST: Final = 99.5
"""Percent: a bar that begins at the end can still be seen."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The time from the first start to the last end."""

    start_ns: int
    length_ns: int

    @classmethod
    def of(cls, spans: Sequence[SpanRecord]) -> Self:
        """The axis on which all of `spans` are."""
        start = min(span.start_ns for span in spans)
        return cls(start, max(1, max(span.end_ns for span in spans) - start))

    def bar(self, span: SpanRecord) -> str:
        """The bar of one of them as HTML, paler until its first token."""
        left = min(_RIGHTMOST, self._percent(span.start_ns - self.start_ns))
        width = min(100 - left, self._percent(span.end_ns - span.start_ns))
        took, first = span.end_ns - span.start_ns, span.timing.first_token_ns
        wait = ""
        if first is not None and 0 < first < took:
            wait = f'<span class="wait" style="width:{100 * first / took:.1f}%"></span>'
        return (
            f'<span class="track"><span class="{_class(span)}" '
            f'style="left:{left:.2f}%;width:{width:.2f}%">{wait}</span></span>'
        )

    def _percent(self, ns: int) -> float:
        return 100 * max(0, ns) / self.length_ns


def _class(span: SpanRecord) -> str:
    if span.status in _STATUS:
        return _STATUS[span.status]
    if span.kind in MODEL_KINDS:
        return "bar model"
    return "bar tool" if span.kind in _TOOLS else "bar"
