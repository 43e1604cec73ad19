"""A tracer that brings to its server what others recorded: it has no spans of its own."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ollamatrace import Tracer
from ollamatrace.destinations import open_again
from ollamatrace.pipeline import Channel, Sink
from ollamatrace.pipeline.outbox import Outbox
from ollamatrace.records import SpanRecord
from ollamatrace.settings import Delivery

_LOOK_S: Final = 0.05
_ADOPT_S: Final = 300.0
_DELIVERY: Final = Delivery(spool_max_age_s=math.inf, spool_max_bytes=1 << 62)
"""Nothing is dropped for being old or much: it is here to be delivered."""
_SPAN_BYTES: Final = 2000

Tell = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Stored:
    """A record that is finished already, as the queue takes it."""

    record: SpanRecord
    is_sampled: bool = True
    """What is in a store was decided when it was recorded."""

    def finish(self) -> SpanRecord:
        """The record as it is."""
        return self.record

    @property
    def size(self) -> int:
        """About as many bytes as it takes in memory."""
        span = self.record
        return _SPAN_BYTES + len(span.input_content.json) + len(span.output_content.json)


class Carrier(Tracer):
    """Sends what earlier processes left in the spool, and what it is given; by `Tracer`'s ways.

    Args:
        server: The server's address.
        experiment: The experiment; ``#`` and its id if it is known by that.

    Raises:
        ConfigError: the address is none, or a credential none that can be sent.
    """

    def __init__(self, server: str, experiment: str) -> None:
        super().__init__(server, experiment=experiment, delivery=_DELIVERY)
        importlib.import_module("tenacity")  # the clock runs for the server, not for our imports
        for one in self._destinations:
            if isinstance(one, Channel):
                one.prepare()

    def _open(
        self, server: object, experiment: str | None, *_: object, **__: object
    ) -> list[Sink | Channel]:
        return [open_again(str(server), experiment or "", _DELIVERY)]

    @property
    def outbox(self) -> Outbox:
        """Its way to the server."""
        return self.pipeline.outboxes[0]

    def bring_adopted(self, timeout: float, tell: Tell) -> None:
        """Send what was left behind, until all is sent or nothing moves for `timeout` seconds."""
        self.flush(_ADOPT_S)  # comes back when the spool has been looked through
        adopted = self.outbox.adopted
        done, moved_at = -1, time.monotonic()
        while self._has_left and not self.outbox.hopeless_for(timeout):
            if adopted.done != done:
                done, moved_at = adopted.done, time.monotonic()
            if time.monotonic() - moved_at > timeout:
                break
            tell(adopted.delivered + adopted.dropped.total(), self.outbox.trouble or "")
            time.sleep(_LOOK_S)

    @property
    def _has_left(self) -> bool:
        """Whether something is on its way, or in more files than can be open at a time."""
        return self.outbox.may_adopt or bool(self.outbox.adopted.left)

    def bring(self, timeout: float) -> bool:
        """Send what was put in; false if it has not gone after `timeout` seconds."""
        report = self.pipeline.flush(timeout, patience=timeout)
        return not report.pending and not report.spooled
