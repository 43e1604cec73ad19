"""OpenInference's instrumentors of OpenAI and of Ollama."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from openinference.instrumentation.ollama import OllamaInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from benchmarks.peers import otel
from tests.conformance.wrapper import Seen

_CONTENT = re.compile(r"llm\.output_messages\.\d+\.message\.content$")


class OpenInference:
    """Spans go to a provider of their own, and from there at once to memory or a file."""

    name = "OpenInference"
    columns = ("openai", "openai async", "ollama", "ollama async")
    knows_cancelled = False

    def __init__(self, file: Path | None = None) -> None:
        self._provider = TracerProvider()
        self._exporter = otel.Exporter(file)
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._instrumentors = OpenAIInstrumentor(), OllamaInstrumentor()
        for instrumentor in self._instrumentors:
            instrumentor.instrument(tracer_provider=self._provider)

    def wrap(self, client: Any) -> Any:
        """Nothing to do: methods of the SDKs are patched."""
        return client

    def parent(self) -> AbstractContextManager[str]:
        """Open a parent span."""
        return otel.parent(self._provider)

    def current(self) -> str | None:
        """The id of the current span."""
        return otel.current()

    def spans(self) -> list[Seen]:
        """What has ended."""
        self._provider.force_flush()
        return [otel.seen(span, _text(span)) for span in self._exporter.taken()]

    def close(self) -> None:
        """Remove the patches."""
        for instrumentor in self._instrumentors:
            instrumentor.uninstrument()

    @staticmethod
    def left_in(file: Path) -> list[Seen]:
        """The lines of the file."""
        return [otel.seen(span, _text(span)) for span in otel.read(file)]


def _text(span: dict[str, Any]) -> str:
    attributes = span["attributes"]
    found = [str(value) for name, value in attributes.items() if _CONTENT.match(name)]
    if found:
        return "".join(found)
    output = attributes.get("output.value", "")
    try:
        return _deep(json.loads(output))
    except ValueError:
        return output  # a text as it is


def _deep(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(
            item if name == "content" and isinstance(item, str) else _deep(item)
            for name, item in value.items()
        )
    return "".join(map(_deep, value)) if isinstance(value, list) else ""
