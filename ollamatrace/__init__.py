"""Tracing for programs that talk to Ollama and other OpenAI-compatible servers.

Wrap the client that you have; every call becomes a span:

    >>> client = TracedClient(OpenAI(base_url="http://localhost:11434/v1", api_key="ollama"))
"""

from ollamatrace.clients import TracedClient, tracer_of
from ollamatrace.context import attach, current_span, last_trace_id, session
from ollamatrace.errors import ClosedError, ConfigError, OllamatraceError, StoreError
from ollamatrace.executor import copy_context_executor
from ollamatrace.pipeline import FlushReport, flush_on_sigterm
from ollamatrace.records import SpanRecord, Timing, Trace, Usage
from ollamatrace.settings import Capture, Delivery, Sampling
from ollamatrace.spans import Span
from ollamatrace.tracer import (
    Tracer,
    extract,
    get_trace,
    inject,
    search_traces,
    set_default,
    span,
    trace,
    update_trace,
)

__all__ = [
    "Capture",
    "ClosedError",
    "ConfigError",
    "Delivery",
    "FlushReport",
    "OllamatraceError",
    "Sampling",
    "Span",
    "SpanRecord",
    "StoreError",
    "Timing",
    "Trace",
    "TracedClient",
    "Tracer",
    "Usage",
    "attach",
    "copy_context_executor",
    "current_span",
    "extract",
    "flush_on_sigterm",
    "get_trace",
    "inject",
    "last_trace_id",
    "search_traces",
    "session",
    "set_default",
    "span",
    "trace",
    "tracer_of",
    "update_trace",
]
