"""What a tracer leaves in the file of accounts at its end, for who asks when it is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ollamatrace.errors import ConfigError
from ollamatrace.pipeline.lane import Lane
from ollamatrace.pipeline.stats import Stats
from ollamatrace.settings import default_spool

if TYPE_CHECKING:
    from ollamatrace.pipeline.outbox import Outbox


def note(lanes: Iterable[Lane | Outbox], stats: Stats) -> None:
    """Write it, as far as there is something to say."""
    accounts = [account for lane in lanes if (account := _account(lane, stats))]
    if accounts:
        from ollamatrace.spool import accounts as book

        with contextlib.suppress(ConfigError):  # no home
            book.note(default_spool(), accounts)


def _account(lane: Lane | Outbox, stats: Stats) -> dict[str, Any] | None:
    """What is to be noted of one destination; ``None``: nothing.

    Of one that is no server only what is missing there: what arrived can be seen.
    """
    report = stats.destinations[lane.account.url]
    account: dict[str, Any] = {
        "url": lane.account.url,
        "accepted": report.accepted,
        "spooled": report.spooled,
        "delivered": report.delivered,
        "dropped": report.dropped,
        "reasons": report.reasons,
        "sampled_out": report.sampled_out,
    }
    if isinstance(lane, Lane):
        return account if report.dropped or report.sampled_out else None
    account["adopted"] = {"delivered": lane.adopted.delivered, "dropped": lane.adopted.dropped}
    account["arrivals"] = asdict(stats.arrivals[lane.account.url])
    return account if report.accepted or report.sampled_out or lane.adopted.done else None
