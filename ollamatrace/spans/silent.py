"""The span of a tracer that is off: it takes everything and records nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

from ollamatrace.spans.owner import Owner
from ollamatrace.spans.span import Span


class SilentSpan(Span):
    """Looks like a span, is never current and goes nowhere."""

    __slots__ = ()

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(cast("Owner", None), name, kind)  # it asks nothing of an owner

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass
