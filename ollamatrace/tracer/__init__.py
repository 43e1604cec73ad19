"""The tracer, which one a call uses, and reading traces back."""

from ollamatrace.tracer.decorator import trace
from ollamatrace.tracer.lookup import registry
from ollamatrace.tracer.propagation import extract, inject, names_span, said_of
from ollamatrace.tracer.top import get_trace, search_traces, set_default, span, update_trace
from ollamatrace.tracer.tracer import Server, Tracer

__all__ = [
    "Server",
    "Tracer",
    "extract",
    "get_trace",
    "inject",
    "names_span",
    "registry",
    "said_of",
    "search_traces",
    "set_default",
    "span",
    "trace",
    "update_trace",
]
