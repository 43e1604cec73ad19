"""What can be asked of a destination that keeps traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ollamatrace.records import Trace


@dataclass(frozen=True, slots=True)
class Query:
    """A trace is found if it has a span that meets all that is given here.

    Attributes:
        text: In the name, the inputs, the outputs or the error; upper and lower case are the same.
        status: ``OK``, ``ERROR`` or ``CANCELLED``.
        model: The model that answered.
        session: The session (conversation) id.
        since_ns: The span started then or later, in nanoseconds since the epoch.
        until_ns: It started before.
        limit: The most traces to give, newest first.
    """

    text: str | None = None
    status: str | None = None
    model: str | None = None
    session: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    limit: int = 100

    def __post_init__(self) -> None:
        if self.limit <= 0:
            raise ValueError(f"limit must be 1 or more, not {self.limit}")


@runtime_checkable
class Backend(Protocol):
    """Answers questions about the traces that it keeps."""

    async def search(self, query: Query) -> list[Trace]:
        """The traces that meet `query`, newest first.

        Raises:
            StoreError: they cannot be read.
            ServerError: the server that keeps them cannot be asked.
        """
        ...

    async def get(self, trace_id: str) -> Trace | None:
        """The trace with this id (32 hex digits), or ``None``.

        Raises:
            StoreError: it cannot be read.
            ServerError: the server that keeps it cannot be asked.
        """
        ...


@runtime_checkable
class Paged(Protocol):
    """Has a page on which a trace can be looked at."""

    def page(self, trace_id: str) -> str | None:
        """Its address; ``None`` as long as it is not known. No server is asked."""
        ...
