"""What a span needs of the tracer that it belongs to."""

from __future__ import annotations

from typing import Protocol
from weakref import ref

from ollamatrace.pipeline import Pipeline
from ollamatrace.settings import Capture


class Owner(Protocol):
    """What a span needs of the tracer that it belongs to."""

    @property
    def pipeline(self) -> Pipeline:
        """Where it goes when it ends."""
        ...

    @property
    def capture(self) -> Capture:
        """What of it is recorded."""
        ...

    @property
    def reference(self) -> ref[Owner]:
        """What leads to it and does not keep it alive."""
        ...

    @property
    def is_recording(self) -> bool:
        """Whether what begins here and now is recorded."""
        ...

    def page(self, trace_id: str) -> str | None:
        """The address of the page that shows a trace; ``None`` if there is no such page."""
        ...
