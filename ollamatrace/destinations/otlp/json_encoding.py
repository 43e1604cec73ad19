"""OTLP as JSON: ids in hex digits, 64-bit integers as texts, names in camel case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from ollamatrace.destinations.otlp.encoding import CUMULATIVE, SAMPLED, Partial, scope
from ollamatrace.destinations.otlp.meter import Attributes, Metric, Point
from ollamatrace.destinations.otlp.outgoing import Happening, Outgoing
from ollamatrace.destinations.otlp.values import Value
from ollamatrace.records.shapes import as_dict


class JsonEncoding:
    """Needs no library beyond those that ollamatrace has anyway."""

    content_type = "application/json"

    def prepare(self) -> None:
        """Nothing is missing."""

    def body(
        self, resource: Mapping[str, str], spans: Iterable[Outgoing], pause: Callable[[], None]
    ) -> bytes:
        """The JSON of an ``ExportTraceServiceRequest``."""
        made: list[bytes] = []
        for span in spans:
            made.append(orjson.dumps(_span(span)))
            pause()
        head = orjson.dumps({"attributes": _pairs(resource)})
        return (
            b'{"resourceSpans":[{"resource":' + head + b',"scopeSpans":[{"scope":'
            + orjson.dumps(scope()) + b',"spans":[' + b",".join(made) + b"]}]}]}"
        )  # fmt: skip

    def metrics(self, resource: Mapping[str, str], metrics: Iterable[Metric]) -> bytes:
        """The JSON of an ``ExportMetricsServiceRequest``."""
        scoped = {"scope": scope(), "metrics": [_metric(metric) for metric in metrics]}
        group = {"resource": {"attributes": _pairs(resource)}, "scopeMetrics": [scoped]}
        return orjson.dumps({"resourceMetrics": [group]})

    def partial(self, body: bytes) -> Partial:
        """What a successful answer says, be it of spans or of metrics."""
        told = as_dict(as_dict(orjson.loads(body or b"{}")).get("partialSuccess"))
        rejected = told.get("rejectedSpans") or told.get("rejectedDataPoints") or 0
        return Partial(int(rejected), str(told.get("errorMessage") or ""))

    def message(self, body: bytes) -> str:
        """What can be read of a `Status` in the other encoding: its text."""
        return "".join(char for char in body.decode("utf-8", "ignore") if char.isprintable())


def _span(span: Outgoing) -> dict[str, Any]:
    made: dict[str, Any] = {"traceId": span.trace_id, "spanId": span.span_id}
    if span.parent_id is not None:
        made["parentSpanId"] = span.parent_id
    return made | {
        "flags": SAMPLED,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "events": [_event(event) for event in span.events],
        "links": [{"traceId": link["trace_id"], "spanId": link["span_id"]} for link in span.links],
        "status": {"code": span.status, "message": span.message},
    }


def _event(event: Happening) -> dict[str, Any]:
    return {
        "name": event.name,
        "timeUnixNano": str(event.time_ns),
        "attributes": _pairs(event.attributes),
    }


def _metric(metric: Metric) -> dict[str, Any]:
    measured = metric.instrument
    points = [_point(metric, point) for point in metric.points]
    return {
        "name": measured.name,
        "unit": measured.unit,
        "description": measured.description,
        "histogram": {"aggregationTemporality": CUMULATIVE, "dataPoints": points},
    }


def _point(metric: Metric, point: Point) -> dict[str, Any]:
    counted = point.histogram
    return {
        "attributes": _pairs(point.attributes),
        "startTimeUnixNano": str(metric.start_ns),
        "timeUnixNano": str(metric.end_ns),
        "count": str(counted.count),
        "sum": counted.total,
        "min": counted.least,
        "max": counted.most,
        "bucketCounts": [str(count) for count in counted.counts],
        "explicitBounds": metric.instrument.bounds,
    }


def _pairs(attributes: Mapping[str, Value] | Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in attributes.items()]


def _any(value: Value) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(item) for item in value]}}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
