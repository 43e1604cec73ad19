"""OTLP as protobuf, by the messages of `opentelemetry-proto`, imported for the first span."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any, Final

from ollamatrace.destinations.otlp.encoding import CUMULATIVE, SAMPLED, Partial, scope
from ollamatrace.destinations.otlp.meter import Attributes, Metric
from ollamatrace.destinations.otlp.outgoing import Outgoing
from ollamatrace.destinations.otlp.values import Value
from ollamatrace.errors import ConfigError

_TOGETHER: Final = 32
"""Spans that are serialised in one step, which holds the GIL."""


class ProtobufEncoding:
    """What every server takes.

    Raises:
        ConfigError: `opentelemetry-proto` is not installed.
    """

    content_type = "application/x-protobuf"

    def __init__(self) -> None:
        try:
            version("opentelemetry-proto")
        except PackageNotFoundError:
            raise ConfigError(
                "OTLP as protobuf needs a library: pip install 'ollamatrace[otlp]'; or set "
                "OTEL_EXPORTER_OTLP_PROTOCOL=http/json, which some servers take, too"
            ) from None

    def prepare(self) -> None:
        """Import the messages."""
        _ = self._messages

    def body(
        self, resource: Mapping[str, str], spans: Iterable[Outgoing], pause: Callable[[], None]
    ) -> bytes:
        """An ``ExportTraceServiceRequest``."""
        left = iter(spans)
        made: list[bytes] = []
        # Such messages one behind the other are one message with all that is in them.
        while several := list(islice(left, _TOGETHER)):
            request = self._messages.request()
            group = request.resource_spans.add()
            self._fill(group.resource.attributes, resource)
            scoped = group.scope_spans.add(scope=scope())
            for span in several:
                self._add(scoped.spans, span)
                pause()
            made.append(request.SerializeToString())
            pause()
        return b"".join(made)

    def metrics(self, resource: Mapping[str, str], metrics: Iterable[Metric]) -> bytes:
        """An ``ExportMetricsServiceRequest``."""
        request = self._messages.measures()
        group = request.resource_metrics.add()
        self._fill(group.resource.attributes, resource)
        scoped = group.scope_metrics.add(scope=scope())
        for metric in metrics:
            told = metric.instrument
            made = scoped.metrics.add(name=told.name, unit=told.unit, description=told.description)
            made.histogram.aggregation_temporality = CUMULATIVE
            for point in metric.points:
                counted = point.histogram
                added = made.histogram.data_points.add(
                    start_time_unix_nano=metric.start_ns,
                    time_unix_nano=metric.end_ns,
                    count=counted.count,
                    sum=counted.total,
                    min=counted.least,
                    max=counted.most,
                    bucket_counts=counted.counts,
                    explicit_bounds=told.bounds,
                )
                self._fill(added.attributes, point.attributes)
        body: bytes = request.SerializeToString()
        return body

    def partial(self, body: bytes) -> Partial:
        """What a successful answer says, be it of spans or of metrics: the fields are the same."""
        try:
            told = self._messages.response.FromString(body).partial_success
        except self._messages.error as error:
            raise ValueError(str(error)) from None
        return Partial(told.rejected_spans, told.error_message)

    def message(self, body: bytes) -> str:
        """What a `Status` says."""
        try:
            # A number and a text, as a `Status` has them in front, and the same fields.
            return str(self._messages.partial.FromString(body).error_message)
        except self._messages.error:
            return ""

    @cached_property
    def _messages(self) -> _Messages:
        return _Messages()

    def _add(self, spans: Any, span: Outgoing) -> None:
        made = spans.add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id or ""),
            flags=SAMPLED,
            name=span.name,
            kind=span.kind,
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
        )
        made.status.code, made.status.message = span.status, span.message
        self._fill(made.attributes, span.attributes)
        for event in span.events:
            happening = made.events.add(name=event.name, time_unix_nano=event.time_ns)
            self._fill(happening.attributes, event.attributes)
        for link in span.links:
            made.links.add(
                trace_id=bytes.fromhex(link["trace_id"]), span_id=bytes.fromhex(link["span_id"])
            )

    def _fill(self, place: Any, attributes: Mapping[str, Value] | Attributes) -> None:
        for key, value in attributes.items():
            _set(place.add(key=key).value, value)


class _Messages:
    """The classes that are needed."""

    def __init__(self) -> None:
        service = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        self.request: Any = service.ExportTraceServiceRequest
        self.response: Any = service.ExportTraceServiceResponse
        self.partial: Any = service.ExportTracePartialSuccess
        service = import_module("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
        self.measures: Any = service.ExportMetricsServiceRequest
        self.error: type[Exception] = import_module("google.protobuf.message").DecodeError


def _set(place: Any, value: Value) -> None:
    if isinstance(value, list):
        place.array_value.SetInParent()
        for item in value:
            _set(place.array_value.values.add(), item)
    elif isinstance(value, bool):
        place.bool_value = value
    elif isinstance(value, int):
        place.int_value = value
    elif isinstance(value, float):
        place.double_value = value
    else:
        place.string_value = value
