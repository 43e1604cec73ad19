"""MLflow's automatic tracing of the OpenAI package."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(
    MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false",
    MLFLOW_LOGGING_LEVEL="WARNING",  # it speaks of the tables that it makes
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
)

import mlflow
from mlflow.entities import Span, SpanType

from tests.conformance.wrapper import Seen

_PARENT = "parent"


class MLflow:
    """Traces go at once to a store in a local SQLite file."""

    name = "MLflow autolog"
    columns = ("openai", "openai async")
    knows_cancelled = False

    def __init__(self, file: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        _use(file or Path(self._folder.name) / "spans")
        mlflow.openai.autolog()
        self._known: set[str] = set()

    def wrap(self, client: Any) -> Any:
        """Nothing to do: methods of the SDK are patched."""
        return client

    @contextlib.contextmanager
    def parent(self) -> Iterator[str]:
        """Open a parent span."""
        with mlflow.start_span(_PARENT) as span:
            yield span.span_id

    def current(self) -> str | None:
        """The id of the current span."""
        span = mlflow.get_current_active_span()
        return None if span is None else span.span_id

    def spans(self) -> list[Seen]:
        """What has been stored."""
        mlflow.flush_trace_async_logging()
        new = [span for span in _stored() if span.span_id not in self._known]
        self._known.update(span.span_id for span in new)
        return [_seen(span) for span in new]

    def close(self) -> None:
        """Remove the patches."""
        mlflow.openai.autolog(disable=True)
        self._folder.cleanup()

    @staticmethod
    def left_in(file: Path) -> list[Seen]:
        """What another process has stored."""
        before = mlflow.get_tracking_uri()
        try:
            _use(file)
            return [_seen(span) for span in _stored()]
        finally:
            mlflow.set_tracking_uri(before)


def _use(file: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{file}")


def _stored() -> list[Span]:
    traces = mlflow.search_traces(return_type="list", locations=["0"], max_results=20)
    return [
        span
        for trace in traces
        for span in trace.data.spans
        if span.end_time_ns and span.span_type in {SpanType.CHAT_MODEL, SpanType.LLM}
    ]


def _seen(span: Span) -> Seen:
    status = "ERROR" if span.status.status_code.value == "ERROR" else "OK"
    return Seen(status, _text(span), span.parent_id)


def _text(span: Span) -> str:
    outputs = span.outputs
    if isinstance(outputs, dict) and outputs.get("choices"):
        return outputs["choices"][0]["message"].get("content") or ""
    if isinstance(outputs, str):
        return outputs
    # The chunks of a stream.
    return "".join(_delta(value) for event in span.events for value in event.attributes.values())


def _delta(value: Any) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
        chunk = json.loads(value) if isinstance(value, str) else value
        return chunk["choices"][0]["delta"].get("content") or ""
    return ""
