"""The destinations that measure calls, beside those that keep their spans."""

from __future__ import annotations

from collections.abc import Iterable

from ollamatrace import guard
from ollamatrace.pipeline.channel import Measuring
from ollamatrace.records import SpanRecord


class Meters:
    """Measures each span once for each place that metrics go to.

    Args:
        destinations: Those of a tracer; some measure, and two may do so for the same place.
    """

    def __init__(self, destinations: Iterable[object]) -> None:
        measuring = [one for one in destinations if isinstance(one, Measuring)]
        by_place = {url: one for one in measuring if (url := one.metrics_url) is not None}
        self._meters = list(by_place.values())
        self._measures = [guard.shielded(one.measure) for one in self._meters]

    def __bool__(self) -> bool:
        return bool(self._meters)

    def start(self) -> None:
        """Be ready to send, before there is something."""
        for one in self._meters:
            guard.shielded(one.start)()

    def measure(self, record: SpanRecord) -> None:
        """Count a span that has ended."""
        for measure in self._measures:
            measure(record)

    def publish(self, timeout: float, *, is_patient: bool) -> None:
        """Send what was measured; see `Measuring`."""
        for one in self._meters:
            guard.shielded(one.publish)(timeout, is_patient=is_patient)
