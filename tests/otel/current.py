"""OpenTelemetry's SDK for tests, and what is current in it."""

from __future__ import annotations

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ollamatrace import span

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
PROPAGATOR = TraceContextTextMapPropagator()


class Otel:
    """OpenTelemetry's SDK, with a provider of its own."""

    def __init__(self, **options):
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False, **options)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("tests")

    def span(self, name, **options):
        return self.tracer.start_as_current_span(name, **options)

    def parents(self):
        """By name, the span id of the parent and the trace id."""
        return {
            one.name: (one.parent and f"{one.parent.span_id:016x}", f"{one.context.trace_id:032x}")
            for one in self._exporter.get_finished_spans()
        }


def ids(one):
    """The span id and the trace id, of either."""
    if isinstance(one, otel_trace.Span):
        one = one.get_span_context()
        return f"{one.span_id:016x}", f"{one.trace_id:032x}"
    return one.span_id, one.trace_id


def now():
    """What is current in OpenTelemetry."""
    return ids(otel_trace.get_current_span())


def nothing_is_current():
    return not otel_trace.get_current_span().get_span_context().is_valid


def ours(tracer):
    return {one.name: (one.parent_id, one.trace_id) for one in tracer.finished()}


def work(name="work"):
    with span(name) as one:
        assert now() == ids(one)
