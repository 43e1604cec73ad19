"""From ended spans to destinations: a bounded queue, one worker, an exact account."""

from ollamatrace.pipeline.channel import Broken, Channel, Denied, Refused, Unavailable
from ollamatrace.pipeline.pipeline import Pipeline
from ollamatrace.pipeline.report import FlushReport
from ollamatrace.pipeline.sigterm import flush_on_sigterm
from ollamatrace.pipeline.sink import Queued, Sink
from ollamatrace.pipeline.stats import Arrivals, Stats
from ollamatrace.pipeline.supply import Redact
from ollamatrace.pipeline.worker import flush_all

__all__ = [
    "Arrivals",
    "Broken",
    "Channel",
    "Denied",
    "FlushReport",
    "Pipeline",
    "Queued",
    "Redact",
    "Refused",
    "Sink",
    "Stats",
    "Unavailable",
    "flush_all",
    "flush_on_sigterm",
]
