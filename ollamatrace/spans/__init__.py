"""Spans: what is open, how it ends, and what is said about its trace."""

from ollamatrace.spans.failure import is_cancellation
from ollamatrace.spans.silent import SilentSpan
from ollamatrace.spans.span import Owner, Span
from ollamatrace.spans.update import QueuedUpdate, apply

__all__ = ["Owner", "QueuedUpdate", "SilentSpan", "Span", "apply", "is_cancellation"]
