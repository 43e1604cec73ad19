"""What a remote destination is to the pipeline: a way to hand spans to a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from ollamatrace.records import Record, SpanRecord


class Unavailable(Exception):  # noqa: N818  what the server is
    """The server cannot take anything now: try again.

    Raised for connections that fail or break, for time-outs, and for 408, 429 and 5xx.

    Args:
        reason: One line for the user: what happened at which address.
        after_s: How many seconds the server asked to be left alone (``Retry-After``).
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Broken(Unavailable):
    """The server failed over these records (500). Perhaps it does so each time, over one of them.

    If it takes others meanwhile, they are treated as refused.
    """


class Refused(Exception):  # noqa: N818
    """The server does not want these records (400, 413, 422); others it may take."""


class Denied(Exception):  # noqa: N818
    """The server takes nothing until somebody changes something; the text names the fix.

    For 401, 403 and 404, for a server that is too old or is another kind of server.
    """


@runtime_checkable
class Channel(Protocol):
    """Sends records to one place on a server. It blocks; called by one thread at a time."""

    @property
    def url(self) -> str:
        """The server's address, without credentials; it names the destination in reports."""
        ...

    @property
    def experiment(self) -> str:
        """What the spans are filed under there."""
        ...

    def prepare(self) -> None:
        """Import what `send` needs. Called once, before the first `send`; a fork waits for it.

        Raises:
            ImportError: it is not there.
        """
        ...

    def send(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Bring `records` to the server; the same records again change nothing there.

        Args:
            records: Finished spans, and updates of traces after the spans that they are about.
            pause: To be called between pieces of work of 100 µs or less.

        Raises:
            Unavailable: try all of them again.
            Refused: not these together.
            Denied: nothing will be taken.
        """
        ...

    def close(self) -> None:
        """Release connections. A later `send` opens them again."""
        ...

    def abandon(self) -> None:
        """Forget, in the child after a fork, what belongs to the parent, without closing it."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """A destination that also measures calls: all of them, also those whose spans it never gets."""

    @property
    def metrics_url(self) -> str | None:
        """Where its metrics go, without credentials; ``None``: nowhere."""
        ...

    def start(self) -> None:
        """Be ready to send, before there is something: at the end no thread can be started."""
        ...

    def measure(self, record: SpanRecord) -> None:
        """Count a span that has ended, before it is sampled and after the rules of privacy.

        Called by one thread at a time, once for each span. It does not block.
        """
        ...

    def publish(self, timeout: float, *, is_patient: bool) -> None:
        """Send what was measured, and wait until it has arrived or failed to.

        Args:
            timeout: The longest wait in seconds; 0 or less: none.
            is_patient: Wait for a server that was down the last time, too.
        """
        ...
