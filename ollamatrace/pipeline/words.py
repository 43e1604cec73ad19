"""What a tracer's statistics say, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ollamatrace.records.view import figures

if TYPE_CHECKING:
    from ollamatrace.pipeline.stats import Arrivals, Stats

_US: Final = 1e-6
_NS: Final = 1e-9


def of_stats(stats: Stats) -> str:
    """A line for each fact, destinations last."""
    account = (
        f"{stats.accepted:,} ended: {stats.delivered:,} delivered, {stats.pending:,} in memory, "
        f"{stats.spooled:,} in files, {stats.dropped:,} dropped"
    )
    if stats.reasons:
        why = ", ".join(f"{count:,} {reason}" for reason, count in stats.reasons.items())
        account += f" ({why})"
    waiting = figures.counted(stats.waiting_spans, "span")
    most = f"{stats.most_waiting_spans:,} ({figures.size(stats.most_waiting_bytes)})"
    worker = f"{_time(stats.worker_cpu_s)} of processor time"
    if stats.worker_us_per_span is not None:
        worker += f", {_time(stats.worker_us_per_span * _US)} a span"
    lines = [
        f"spans    {account}",
        f"queue    {waiting} ({figures.size(stats.waiting_bytes)}) now, at most {most}",
        "batches  " + _batches(stats.batches, stats.mean_batch_spans, stats.largest_batch_spans),
        f"worker   {worker}",
    ]
    for url, arrivals in stats.arrivals.items():
        lines += [url, *(f"         {line}" for line in of_arrivals(arrivals))]
    return "\n".join(lines)


def of_arrivals(arrivals: Arrivals) -> list[str]:
    """What there is to say of one destination, a line each."""
    lines = [_batches(arrivals.batches, arrivals.mean_spans, arrivals.largest_spans)]
    if arrivals.last_lag_s is not None:
        usual, longest = _time(arrivals.median_lag_s), _time(arrivals.longest_lag_s)
        lines.append(f"lag {usual} (median), {longest} at most, {_time(arrivals.last_lag_s)} last")
    if arrivals.sender_cpu_s:
        lines.append(f"sending took {_time(arrivals.sender_cpu_s)} of processor time")
    if arrivals.behind_s is not None:
        lines.append(f"the oldest that is not there ended {_time(arrivals.behind_s)} ago")
    return lines


def _batches(number: int, mean: float | None, largest: int) -> str:
    if mean is None:
        return "no batch yet"
    if number == 1:
        return f"1 batch of {figures.counted(largest, 'span')}"
    return f"{number:,} batches of {mean:,.1f} spans on average, {largest:,} at most"


def _time(seconds: float | None) -> str:
    return figures.duration(None if seconds is None else round(seconds / _NS))
