"""What the SDKs that are built on OpenTelemetry have in common."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import format_span_id

from tests.conformance.wrapper import Seen

PARENT = "parent"


class Exporter(SpanExporter):
    """Keeps ended spans, in memory or as lines of a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._spans: list[dict[str, Any]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep them."""
        plain = [_plain(span) for span in spans]
        if self._file is None:
            self._spans += plain
        else:
            with self._file.open("a") as lines:
                lines.writelines(json.dumps(span) + "\n" for span in plain)
        return SpanExportResult.SUCCESS

    def taken(self) -> list[dict[str, Any]]:
        """What was kept since the last time, without the parents."""
        spans, self._spans = self._spans, []
        return [span for span in spans if span["name"] != PARENT]


def read(file: Path) -> list[dict[str, Any]]:
    """The spans of a file, without the parents."""
    if not file.exists():
        return []
    spans = [json.loads(line) for line in file.read_text().splitlines()]
    return [span for span in spans if span["name"] != PARENT]


def seen(span: Mapping[str, Any], text: str) -> Seen:
    """An exported span as the judge sees it."""
    status = "ERROR" if span["status"] == "ERROR" else "OK"  # unset means: no error
    return Seen(status, text, span["parent_id"])


@contextlib.contextmanager
def parent(provider: TracerProvider) -> Iterator[str]:
    """Open a parent span."""
    with provider.get_tracer(__name__).start_as_current_span(PARENT) as span:
        yield format_span_id(span.get_span_context().span_id)


def current() -> str | None:
    """The id of the current span."""
    context = trace.get_current_span().get_span_context()
    return format_span_id(context.span_id) if context.is_valid else None


def _plain(span: ReadableSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "parent_id": None if span.parent is None else format_span_id(span.parent.span_id),
        "status": span.status.status_code.name,
        "attributes": dict(span.attributes or {}),
        "events": [dict(event.attributes or {}) for event in span.events],
    }
