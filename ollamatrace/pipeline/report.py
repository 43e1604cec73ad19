"""The account of all spans: accepted = pending + spooled + delivered + dropped, at all times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FlushReport:
    """Totals since the tracer began.

    At the top each span counts once: as dropped if it was dropped anywhere, else as pending, else
    as spooled if it is so anywhere, else as delivered.

    Attributes:
        accepted: Spans that ended.
        pending: Those in memory, on their way.
        spooled: Those in a file, on their way to a server; they outlive the process.
        delivered: Those that the destination has.
        dropped: Those that are lost.
        reasons: Why, by number of spans: ``queue_full``, ``closed``, ``store_unwritable``,
            ``spool_unwritable``, ``spool_full``, ``spool_expired``, ``spool_unreadable``,
            ``rejected``.
        destinations: The same for each destination, by its URL without credentials.
        sampled_out: Spans that ended and are not recorded, as `Sampling` has decided; they are not
            among the accepted.
    """

    accepted: int = 0
    pending: int = 0
    spooled: int = 0
    delivered: int = 0
    dropped: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    destinations: Mapping[str, FlushReport] = field(default_factory=dict[str, "FlushReport"])
    sampled_out: int = 0
