"""Spans: what is open, and how it ends."""

from ollamatrace.spans.failure import is_cancellation
from ollamatrace.spans.silent import SilentSpan
from ollamatrace.spans.span import Owner, Span

__all__ = ["Owner", "SilentSpan", "Span", "is_cancellation"]
