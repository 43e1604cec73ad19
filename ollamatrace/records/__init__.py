"""The record: one internal model of a finished span, mapped to other vocabularies elsewhere."""

from ollamatrace.records.content import CUTS, Content, shorn, utf8
from ollamatrace.records.counts import Timing, Usage
from ollamatrace.records.plain import Snapshot, content_of, plain
from ollamatrace.records.snapshot import answer_snapshot, quick_snapshot, snapshot
from ollamatrace.records.span import PARENT, EndReason, Event, Link, SpanRecord, Status, Trace
from ollamatrace.records.traces import Traces
from ollamatrace.records.update import TraceUpdate

Record = SpanRecord | TraceUpdate
"""What goes through the pipeline."""

__all__ = [
    "CUTS",
    "PARENT",
    "Content",
    "EndReason",
    "Event",
    "Link",
    "Record",
    "Snapshot",
    "SpanRecord",
    "Status",
    "Timing",
    "Trace",
    "TraceUpdate",
    "Traces",
    "Usage",
    "answer_snapshot",
    "content_of",
    "plain",
    "quick_snapshot",
    "shorn",
    "snapshot",
    "utf8",
]
