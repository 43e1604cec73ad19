"""Traces that were found: a list that a notebook shows as a table."""

from __future__ import annotations

from typing import SupportsIndex, overload

from ollamatrace.records.span import Trace


class Traces(list[Trace]):
    """A list of traces, which it is for every purpose."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> Traces: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Trace | Traces:
        found: Trace | list[Trace] = super().__getitem__(index)
        return Traces(found) if isinstance(found, list) else found

    def _repr_html_(self) -> str:
        from ollamatrace.records.view.table import traces_html

        return traces_html(self)
