"""The spans of a framework's steps, found again by the ids that the framework gives them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from ollamatrace.context import attach, enclosing, make_current
from ollamatrace.spans import Span
from ollamatrace.tracer import Tracer, span


class Steps:
    """Begins and ends spans as a framework says that its steps begin and end.

    A step is below the one that the framework names as its parent, wherever that began, or below
    a span of the program's own that is open in it; a topmost one is below what is current in the
    program. A step is current where it was told, so calls of a client find it by themselves.
    """

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer: Final = tracer
        self._spans: dict[Hashable, Span | None] = {}
        self._own: set[Hashable] = set()
        self._around: dict[Hashable, attach] = {}

    def begin(
        self, step: Hashable, name: str, kind: str, parent: Hashable, *, is_current: bool = True
    ) -> Span:
        """Begin the span of `step`.

        Args:
            step: Its id.
            name: What its span is called.
            kind: ``AGENT``, ``TOOL``, ``CHAIN`` ….
            parent: The id of the step above, if any.
            is_current: Whether what begins here from now on is below it. Not so where it is told
                from within a generator: its context is that of the program that reads it.
        """
        above = self._innermost(parent)
        if above is None and self._tracer is not None:
            made = self._tracer.span(name, kind)
        else:
            made = span(name, kind, above)
        made.begin()
        self._spans[step] = made
        self._own.add(step)
        if is_current and made.is_open:
            make_current(made)
        return made

    def skip(self, step: Hashable, parent: Hashable) -> None:
        """Have what is below `step`, which gets no span, below the one above it."""
        self._spans[step] = self._spans.get(parent)

    def surround(self, step: Hashable, parent: Hashable) -> None:
        """Make the span of `parent` current until `release`, for what is called in between."""
        around = self._around[step] = attach(self._innermost(parent))
        around.__enter__()

    def release(self, step: Hashable) -> None:
        """Make current again what was so before `surround`."""
        around = self._around.pop(step, None)
        if around is not None:
            around.__exit__(None, None, None)

    def within(self, step: Hashable) -> Span | None:
        """The span that `step`, which was skipped, is part of."""
        return self._spans.get(step)

    def open(self, step: Hashable) -> Span | None:
        """The span of `step`, while it is open."""
        return self._spans.get(step) if step in self._own else None

    def end(self, step: Hashable, error: BaseException | None = None) -> None:
        """End `step`; what began before it is current again, where it began."""
        ended = self.open(step)
        self._spans.pop(step, None)
        self._own.discard(step)
        if ended is None:
            return
        if isinstance(error, GeneratorExit):  # a stream is left, maybe by the garbage collector
            ended.abandon()
            return
        ended.leave()
        if error is None:
            ended.end()
        else:
            ended.fail(error)

    def _innermost(self, parent: Hashable) -> Span | None:
        """The span of `parent`, or what is current if that is below it."""
        above = self._spans.get(parent)
        here = inner = enclosing()
        while inner is not None and inner is not above:
            inner = inner.above()
        return above if inner is None else here

    def clear(self) -> None:
        """Forget all, and end what is open."""
        for step in self._own:
            if (span := self._spans[step]) is not None:
                span.abandon()
        self._spans.clear()
        self._own.clear()
        self._around.clear()


def text_of(value: Any, otherwise: str) -> str:
    """A name that a framework gives, if it is one."""
    return value if isinstance(value, str) and value else otherwise
