"""What either encoding of OTLP can do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from ollamatrace.destinations.otlp.meter import Metric
from ollamatrace.destinations.otlp.outgoing import Outgoing
from ollamatrace.release import release

SCOPE: Final = "ollamatrace"
SAMPLED: Final = 1
"""The flags of a span."""
CUMULATIVE: Final = 2
"""What metrics tell: all since the start, not since the last time."""


class Partial(NamedTuple):
    """What a server says of a request that it took, maybe not all of it."""

    rejected: int
    message: str


class Encoding(Protocol):
    """Makes bodies of requests, and reads those of answers."""

    content_type: str

    def prepare(self) -> None:
        """Import what it needs."""
        ...

    def body(
        self, resource: Mapping[str, str], spans: Iterable[Outgoing], pause: Callable[[], None]
    ) -> bytes:
        """The body of a request that brings `spans`; they may be made as they are asked for."""
        ...

    def metrics(self, resource: Mapping[str, str], metrics: Iterable[Metric]) -> bytes:
        """The body of a request that brings `metrics`."""
        ...

    def partial(self, body: bytes) -> Partial:
        """What a successful answer says, be it of spans or of metrics.

        Raises:
            ValueError: it is none.
        """
        ...

    def message(self, body: bytes) -> str:
        """What the `Status` in an answer that is no success says, if it can be read."""
        ...


@functools.cache
def scope() -> dict[str, str]:
    """Who made the spans, or measured."""
    return {"name": SCOPE, "version": release()}
