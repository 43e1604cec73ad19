"""What a destination is to the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ollamatrace.records import Record


class Sink(Protocol):
    """Takes batches of finished spans to where they are kept. Called by one thread at a time.

    Where they are kept on a server, see `ollamatrace.pipeline.channel`.
    """

    @property
    def url(self) -> str:
        """The address, without credentials; it names the destination in reports."""
        ...

    def write(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Keep `records`, all or none; the same span twice is kept once.

        Args:
            records: Finished spans, and updates of traces after the spans that they are about.
            pause: To be called between pieces of work of 100 µs or less: it lets the program run.

        Raises:
            OllamatraceError: they could not be kept now; the pipeline tries again.
        """
        ...

    def close(self) -> None:
        """Release what is open. A later `write` opens it again."""
        ...

    def abandon(self) -> None:
        """Forget, in the child after a fork, what belongs to the parent, without closing it."""
        ...


class Queued(Protocol):
    """What waits in the queue: an ended span, an update, or a part of a stream that goes on."""

    @property
    def is_sampled(self) -> bool:
        """Whether it is a span of a trace that is wanted by its id."""
        ...

    def finish(self) -> Record | None:
        """Do on the worker what the caller's thread was spared; a part has no record of its own."""
        ...
