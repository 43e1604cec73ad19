"""The spans of a trace as the tree in which they called each other."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ollamatrace.records import SpanRecord, Trace

_DEEPEST: Final = 12
"""Levels that are drawn; what is deeper stays there, or no room would be left for names."""


class Branch(NamedTuple):
    """A span, the lines that lead to it, and how many levels below the top it is."""

    guide: str
    span: SpanRecord
    depth: int


def branches(trace: Trace, *, ascii_only: bool = False) -> list[Branch]:
    """Spans depth first, children in the order in which they started."""
    bar, fork, last = ("|  ", "|- ", "`- ") if ascii_only else ("│  ", "├─ ", "└─ ")
    children: defaultdict[str | None, list[SpanRecord]] = defaultdict(list)
    here = {span.span_id for span in trace.spans}
    for span in trace.spans:
        children[span.parent_id if span.parent_id in here else None].append(span)
    found: list[Branch] = []
    # A list instead of recursion: agents call themselves deeper than Python likes to.
    waiting = [("", "", span) for span in reversed(children[None])]
    while waiting:
        guide, below, span = waiting.pop()
        found.append(Branch(guide, span, len(guide) // len(bar)))
        inner = children.pop(span.span_id, [])
        deep = len(below) >= _DEEPEST * len(bar)
        for child in reversed(inner):
            end = child is inner[-1]
            room = below[: -len(bar)] if deep else below
            waiting.append((room + (last if end else fork), room + ("   " if end else bar), child))
    reached = {branch.span.span_id for branch in found}
    lost = [span for span in trace.spans if span.span_id not in reached]  # parents in a circle
    return found + [Branch("", span, 0) for span in lost]
