"""ollamatrace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ollamatrace import SpanRecord, TracedClient, Tracer, current_span
from ollamatrace.testing import MemoryTracer
from tests.conformance.clients import COLUMNS
from tests.conformance.wrapper import Seen

PARENT = "parent"


class Ollamatrace:
    name = "ollamatrace"
    columns = tuple(column.name for column in COLUMNS)
    knows_cancelled = True

    def __init__(self, file: Path | None = None) -> None:
        self._tracer = MemoryTracer() if file is None else Tracer(f"sqlite:///{file}")

    def wrap(self, client: Any) -> Any:
        return TracedClient(client, tracer=self._tracer)

    @contextlib.contextmanager
    def parent(self) -> Iterator[str]:
        with self._tracer.span(PARENT) as span:
            yield span.span_id

    def current(self) -> str | None:
        span = current_span()
        return None if span is None else span.span_id

    def spans(self) -> list[Seen]:
        assert isinstance(self._tracer, MemoryTracer)
        return _seen(self._tracer.finished())

    def close(self) -> None:
        self._tracer.close()

    @staticmethod
    def left_in(file: Path) -> list[Seen]:
        with Tracer(f"sqlite:///{file}") as tracer:
            traces = asyncio.run(tracer.search_traces())
            return _seen([span for trace in traces for span in trace.spans])


def _seen(records: list[SpanRecord]) -> list[Seen]:
    return [
        Seen(
            status=record.status,
            text=_text(record.outputs),
            parent_id=record.parent_id,
            end_reason=record.end_reason,
            chunks=record.timing.chunks,
        )
        for record in records
        if record.name != PARENT
    ]


def _text(outputs: Any) -> str:
    if not outputs:
        return ""
    message = outputs["choices"][0]["message"] if "choices" in outputs else outputs["message"]
    return message["content"] or ""
