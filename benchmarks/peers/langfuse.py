"""Langfuse's drop-in replacement of the OpenAI package."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langfuse import Langfuse as Client
from langfuse import get_client
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.peers import otel
from tests.conformance.wrapper import Seen


class Langfuse:
    """Spans go through Langfuse's own processor, and from there to memory or a file."""

    name = "Langfuse"
    columns = ("openai", "openai async")
    knows_cancelled = False

    def __init__(self, file: Path | None = None) -> None:
        self._exporter = otel.Exporter(file)
        Client(
            public_key="pk-lf-none",
            secret_key="sk-lf-none",  # noqa: S106  nothing is sent
            base_url="http://127.0.0.1:9",
            tracer_provider=TracerProvider(),
            span_exporter=self._exporter,
        )
        import langfuse.openai  # noqa: F401  this is what patches

    def wrap(self, client: Any) -> Any:
        """Nothing to do: methods of the SDK are patched."""
        return client

    @contextlib.contextmanager
    def parent(self) -> Iterator[str]:
        """Open a parent span."""
        with get_client().start_as_current_observation(name=otel.PARENT) as span:
            yield span.id

    def current(self) -> str | None:
        """The id of the current span."""
        return otel.current()

    def spans(self) -> list[Seen]:
        """What has ended."""
        get_client().flush()
        return [_seen(span) for span in self._exporter.taken()]

    def close(self) -> None:
        """Its patches cannot be removed."""
        get_client().shutdown()

    @staticmethod
    def left_in(file: Path) -> list[Seen]:
        """The lines of the file."""
        return [_seen(span) for span in otel.read(file)]


def _seen(span: dict[str, Any]) -> Seen:
    attributes = span["attributes"]
    if attributes.get("langfuse.observation.level") == "ERROR":
        span = {**span, "status": "ERROR"}
    return otel.seen(span, _text(attributes.get("langfuse.observation.output")))


def _text(output: Any) -> str:
    if isinstance(output, str):
        with contextlib.suppress(ValueError):
            output = json.loads(output)
    if isinstance(output, dict):
        output = output.get("content")
    return output if isinstance(output, str) else ""
