"""Spans: what is open, how it ends, and what is said about its trace."""

from ollamatrace.spans.failure import is_cancellation
from ollamatrace.spans.function import FunctionSpan, GeneratorSpan
from ollamatrace.spans.owner import Owner
from ollamatrace.spans.remote import SAMPLED, RemoteSpan
from ollamatrace.spans.silent import SilentSpan
from ollamatrace.spans.span import Span
from ollamatrace.spans.update import QueuedUpdate, apply

__all__ = [
    "SAMPLED",
    "FunctionSpan",
    "GeneratorSpan",
    "Owner",
    "QueuedUpdate",
    "RemoteSpan",
    "SilentSpan",
    "Span",
    "apply",
    "is_cancellation",
]
