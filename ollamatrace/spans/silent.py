"""The span of a tracer that is off: it takes everything and records nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

from ollamatrace.records import EndReason, Status
from ollamatrace.spans.owner import Owner
from ollamatrace.spans.span import Span


class SilentSpan(Span):
    """Looks like a span, is never current and goes nowhere."""

    __slots__ = ()

    def __init__(self, name: str, kind: str) -> None:
        # Not what a span begins with: a program whose tracing is off is to pay for nothing.
        self.name = name
        self.kind = kind
        self.owner = cast("Owner", None)
        self.outer = self.outputs = self._parent = self._warnings = self._top = None
        self.ended = self.is_sampled = False
        self._trace = self._id = 0

    @property
    def inputs(self) -> Any:
        """Nothing is kept."""
        return None

    @inputs.setter
    def inputs(self, value: Any) -> None:
        pass

    @property
    def url(self) -> str | None:
        """No trace, no page."""
        return None

    def set(self, key: str, value: Any) -> None:
        """Do nothing."""

    def event(self, name: str, attributes: dict[str, Any] | None = None) -> None:
        """Do nothing."""

    def link(self, to: Span | tuple[str, str]) -> None:
        """Do nothing."""

    def begin(self) -> None:
        """Do nothing."""

    def end(self, status: Status = "OK", reason: EndReason = "returned") -> None:
        """Do nothing."""

    def fail(self, error: BaseException) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass
