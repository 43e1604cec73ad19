"""Tracing for programs that talk to Ollama and other OpenAI-compatible servers.

Wrap the client that you have; every call becomes a span:

    >>> client = TracedClient(OpenAI(base_url="http://localhost:11434/v1", api_key="ollama"))
"""

TYPE_CHECKING = False  # as type checkers know it; to import it would take longer than all of this
if TYPE_CHECKING:
    from ollamatrace.clients import TracedClient, tracer_of
    from ollamatrace.context import attach, current_span, last_trace_id, session
    from ollamatrace.errors import ClosedError, ConfigError, OllamatraceError, StoreError
    from ollamatrace.executor import copy_context_executor
    from ollamatrace.pipeline import Arrivals, FlushReport, Stats, flush_on_sigterm
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

_HOMES = {
    "clients": ("TracedClient", "tracer_of"),
    "context": ("attach", "current_span", "last_trace_id", "session"),
    "errors": ("ClosedError", "ConfigError", "OllamatraceError", "StoreError"),
    "executor": ("copy_context_executor",),
    "pipeline": ("Arrivals", "FlushReport", "Stats", "flush_on_sigterm"),
    "records": ("SpanRecord", "Timing", "Trace", "Usage"),
    "settings": ("Capture", "Delivery", "Sampling"),
    "spans": ("Span",),
    "tracer": (
        "Tracer",
        "extract",
        "get_trace",
        "inject",
        "search_traces",
        "set_default",
        "span",
        "trace",
        "update_trace",
    ),
}
"""The modules of what this package offers. They are imported when the first of it is used."""

__all__ = [
    "Arrivals",
    "Capture",
    "ClosedError",
    "ConfigError",
    "Delivery",
    "FlushReport",
    "OllamatraceError",
    "Sampling",
    "Span",
    "SpanRecord",
    "Stats",
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


if not TYPE_CHECKING:  # else no misspelt name would be found

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name == home or name in names:
                from importlib import import_module

                module = import_module(f"{__name__}.{home}")
                value = globals()[name] = module if name == home else getattr(module, name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
