"""Tracers to measure with: one whose thread rests, and one for each kind of destination."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from ollamatrace import Delivery, Tracer

Mode = Literal["embedded", "OTLP", "MLflow throughput", "MLflow info"]
MODES: Final[tuple[Mode, ...]] = ("embedded", "OTLP", "MLflow throughput", "MLflow info")
RESTS: Final = 500
"""As many spans may wait until the thread of a resting tracer works after all."""


@contextlib.contextmanager
def resting() -> Iterator[Tracer]:
    """A tracer that only works when it is flushed, or more than `RESTS` spans wait."""
    with _store() as server, Tracer(server, delivery=Delivery(delay_s=3600)) as tracer:
        yield tracer


@contextlib.contextmanager
def tracer_to(mode: Mode, sink: str) -> Iterator[Tracer]:
    """A tracer whose spans go to a new embedded store, or to the server `sink`."""
    with contextlib.ExitStack() as stack:
        delivery = Delivery(mode="throughput" if mode == "MLflow throughput" else "info")
        if mode == "embedded":
            server = stack.enter_context(_store())
        else:
            server = f"otlp+{sink}" if mode == "OTLP" else sink
        yield stack.enter_context(Tracer(server, delivery=delivery))


@contextlib.contextmanager
def _store() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder, 'traces.db')}"
