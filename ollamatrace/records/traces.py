"""Traces that were found: a list that a notebook shows as a table."""

from __future__ import annotations

from ollamatrace.records.span import Trace


class Traces(list[Trace]):
    """A list of traces, which it is for every purpose."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from ollamatrace.records.view.table import traces_html

        return traces_html(self)
