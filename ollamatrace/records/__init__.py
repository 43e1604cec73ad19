"""The record: one internal model of a finished span, mapped to other vocabularies elsewhere."""

from ollamatrace.records.content import Content, utf8
from ollamatrace.records.counts import Timing, Usage
from ollamatrace.records.plain import answer_snapshot, plain, snapshot
from ollamatrace.records.span import EndReason, Event, Link, SpanRecord, Status, Trace

__all__ = [
    "Content",
    "EndReason",
    "Event",
    "Link",
    "SpanRecord",
    "Status",
    "Timing",
    "Trace",
    "Usage",
    "answer_snapshot",
    "plain",
    "snapshot",
    "utf8",
]
