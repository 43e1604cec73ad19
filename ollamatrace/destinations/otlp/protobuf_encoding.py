"""OTLP as protobuf. Answers are read by the messages of `opentelemetry-proto`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from ollamatrace.destinations.otlp.encoding import CUMULATIVE, Partial, scope
from ollamatrace.destinations.otlp.meter import Attributes, Metric
from ollamatrace.destinations.otlp.outgoing import Outgoing
from ollamatrace.destinations.otlp.wire import field, pairs, span_message, varint
from ollamatrace.errors import ConfigError

# What a request holds, each inside of the one before.
_GROUP: Final = b"\x0a"
"""``ResourceSpans``."""
_SCOPED: Final = b"\x12"
"""``ScopeSpans``."""
_SPAN: Final = b"\x12"
"""``Span``."""


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
        made: list[bytes] = []
        for span in spans:
            message = span_message(span)
            made += (_SPAN, varint(len(message)), message)
            pause()
        name = scope()
        head = field(1, field(1, name["name"].encode()) + field(2, name["version"].encode()))
        scoped = [head, *made]
        size = varint(sum(map(len, scoped)))
        told = field(1, pairs(1, resource)) + _SCOPED + size
        return b"".join((_GROUP, varint(len(told) + sum(map(len, scoped))), told, *scoped))

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

    def _fill(self, place: Any, attributes: Mapping[str, str] | Attributes) -> None:
        for key, value in attributes.items():
            told = place.add(key=key).value
            if isinstance(value, bool):
                told.bool_value = value
            elif isinstance(value, int):
                told.int_value = value
            else:
                told.string_value = value


class _Messages:
    """The classes that are needed."""

    def __init__(self) -> None:
        service = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        self.response: Any = service.ExportTraceServiceResponse
        self.partial: Any = service.ExportTracePartialSuccess
        service = import_module("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
        self.measures: Any = service.ExportMetricsServiceRequest
        self.error: type[Exception] = import_module("google.protobuf.message").DecodeError
