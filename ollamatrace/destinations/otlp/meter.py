"""What the calls of models add up to, in the metrics of OpenTelemetry's conventions.

See https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from ollamatrace.destinations.otlp.genai import asked_model, operation
from ollamatrace.destinations.otlp.histogram import (
    DURATION,
    FIRST_CHUNK,
    OUTPUT_CHUNK,
    TOKENS,
    Histogram,
    Instrument,
)
from ollamatrace.destinations.otlp.own import error_type, seconds
from ollamatrace.pipeline.pause import Pause
from ollamatrace.records import Event, SpanRecord, utf8

_KINDS: Final = frozenset({"CHAT_MODEL", "EMBEDDING", "LLM"})
_NS_PER_S: Final = 1e9
_AT_ONCE: Final = 64
"""Chunks that are counted in one step."""
_LONGEST: Final = 255
"""Characters of a text: a program may give a whole book as the name of a model."""
_MOST: Final = 2000
"""Sets of attributes for each instrument, as OpenTelemetry's SDKs have it."""

Attributes = Mapping[str, str | int | bool]
Key = tuple[tuple[str, str | int | bool], ...]

_INPUT: Final = ("gen_ai.token.type", "input")
_OUTPUT: Final = ("gen_ai.token.type", "output")
_OVERFLOW: Final[Key] = (("otel.metric.overflow", True),)
"""The attributes of all values that come when there are as many as may be."""


class Point(NamedTuple):
    """What has been measured with the same attributes."""

    attributes: Attributes
    histogram: Histogram


class Metric(NamedTuple):
    """What one instrument has measured; times in nanoseconds since the epoch."""

    instrument: Instrument
    start_ns: int
    end_ns: int
    points: list[Point]


class Meter:
    """Measures calls from its making on; one thread adds while another takes."""

    def __init__(self) -> None:
        self._start_ns = time.time_ns()
        self._lock = threading.Lock()
        self._found: dict[Instrument, dict[Key, Histogram]] = {}

    def measure(self, record: SpanRecord) -> bool:
        """Count a call of a model; says whether the span is one.

        Spans that a program makes itself are none: the calls inside of them are measured.
        """
        does = operation(record) if record.kind in _KINDS else None
        if record.provider is None or does is None:
            return False
        given = record.attributes
        call = _attributes(
            ("gen_ai.operation.name", does),
            ("gen_ai.provider.name", record.provider),
            ("gen_ai.request.model", asked_model(record)),
            # Without an answer, it is the one that was asked for.
            ("gen_ai.response.model", None if record.outputs is None else record.model),
            ("server.address", given.get("server.address")),
            ("server.port", given.get("server.port")),
        )
        error = error_type(record)
        ended = call if error is None else call + _attributes(("error.type", error))
        self._add(DURATION, ended, max(record.end_ns - record.start_ns, 0) / _NS_PER_S)
        if record.usage is not None:
            counted = (_INPUT, record.usage.input_tokens), (_OUTPUT, record.usage.output_tokens)
            for kind, count in counted:
                if count is not None:
                    self._add(TOKENS, (*call, kind), count)
        if record.timing.chunks is not None:
            first = seconds(record.timing.first_token_ns)
            if first is not None:
                self._add(FIRST_CHUNK, call, first)
            self._add_chunks(record, call)
        return True

    def taken(self) -> list[Metric]:
        """All that has been measured, as it is now."""
        with self._lock:
            now = max(time.time_ns(), self._start_ns)
            return [
                Metric(
                    instrument,
                    self._start_ns,
                    now,
                    [Point(dict(key), one.copy()) for key, one in found.items()],
                )
                for instrument, found in self._found.items()
            ]

    def _add_chunks(self, record: SpanRecord, call: Key) -> None:
        """Add the times from each chunk of a stream to the next."""
        pause = Pause()
        happened: list[Event] = record.event_content.value or []
        times = [event["time_ns"] for event in happened if event["name"] == "chunk"]
        for at in range(1, len(times), _AT_ONCE):
            few = pairwise(times[at - 1 : at + _AT_ONCE])
            values = [max(after - before, 0) / _NS_PER_S for before, after in few]
            self._add(OUTPUT_CHUNK, call, *values)
            pause()

    def _add(self, instrument: Instrument, key: Key, *values: float) -> None:
        with self._lock:
            found = self._found.get(instrument)
            if found is None:
                found = self._found[instrument] = {}
            histogram = found.get(key)
            if histogram is None:
                if len(found) >= _MOST - 1:
                    key = _OVERFLOW
                histogram = found.setdefault(key, Histogram(instrument.bounds))
            histogram.add(*values)


def _attributes(*given: tuple[str, object]) -> Key:
    """Those that are known, no longer than a name is."""
    return tuple(
        [
            (name, value if isinstance(value, int) else utf8(value)[:_LONGEST])
            for name, value in given
            if value is not None
        ]
    )
