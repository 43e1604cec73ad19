"""Blocks in which one tracer records nothing."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

suppression_var: Final[ContextVar[Suppression | None]] = ContextVar(
    "ollamatrace_suppression", default=None
)
"""The innermost block here, of whichever tracer."""


class Suppression:
    """One block, in one context and in the tasks that are made in it.

    Args:
        mark: What stands for the tracer, which is not kept alive.
    """

    __slots__ = ("_mark", "_outer", "_over")

    def __init__(self, mark: object) -> None:
        self._mark = mark
        self._outer: Suppression | None = None
        self._over = False

    def __enter__(self) -> Self:
        self._outer = suppression_var.get()
        suppression_var.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if suppression_var.get() is self:
            suppression_var.set(self._outer)
        else:  # left from another context: it stays where it was, without effect
            self._over = True

    def covers(self, mark: object) -> bool:
        """Whether the tracer with this mark is to record nothing in it."""
        block: Suppression | None = self
        while block is not None:
            if block._mark is mark and not block._over:
                return True
            block = block._outer
        return False
