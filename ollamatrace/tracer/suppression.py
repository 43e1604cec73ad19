"""Blocks in which one tracer records nothing."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

suppression_var: Final[ContextVar[Block | None]] = ContextVar(
    "ollamatrace_suppression", default=None
)
"""The innermost block here, of whichever tracer."""


class Block:
    """One block, in one context and in the tasks that are made in it."""

    __slots__ = ("mark", "outer", "over")

    def __init__(self, mark: object, outer: Block | None) -> None:
        self.mark = mark
        self.outer = outer
        self.over = False

    def covers(self, mark: object) -> bool:
        """Whether the tracer with this mark is to record nothing in it."""
        block: Block | None = self
        while block is not None:
            if block.mark is mark and not block.over:
                return True
            block = block.outer
        return False


class Suppression:
    """Makes a block each time it is entered: it may be so again in its own block.

    Args:
        mark: What stands for the tracer, which is not kept alive.
    """

    __slots__ = ("_blocks", "_mark")

    def __init__(self, mark: object) -> None:
        self._mark = mark
        self._blocks: list[Block] = []

    def __enter__(self) -> Self:
        block = Block(self._mark, suppression_var.get())
        self._blocks.append(block)
        suppression_var.set(block)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._blocks:
            return
        here = suppression_var.get()
        # Tasks may share it, each with a block of its own.
        block = here if here in self._blocks else self._blocks[-1]
        self._blocks.remove(block)
        if here is block:
            suppression_var.set(block.outer)
        else:  # left from another context: it stays where it was, without effect
            block.over = True
