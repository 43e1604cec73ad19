"""What a tracing SDK has to offer to be judged."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Seen:
    """An ended span of a call of a model; ``None`` where the wrapper does not know."""

    status: str
    """``OK``, ``ERROR`` or ``CANCELLED``; a wrapper that has no such thing says ``ERROR``."""
    text: str | None
    """The text of the answer, wherever it is kept; ``""`` if the span has none."""
    parent_id: str | None
    end_reason: str | None = None
    chunks: int | None = None


class Wrapper(Protocol):
    """One tracing SDK, set up as its own documentation says.

    It is made once in a process, after the bare clients have been seen, and may patch whatever it
    likes.
    """

    name: str
    columns: tuple[str, ...]
    """The clients that it traces, of `openai`, `openai async`, `ollama`, `ollama async`."""
    knows_cancelled: bool
    """Whether it has a status of its own for what was cancelled."""

    def __init__(self, file: Path | None = None) -> None:
        """With a `file`, spans go there and outlive the process."""

    def wrap(self, client: Any) -> Any:
        """The traced client; the same one if calls are traced by a patch."""

    def parent(self) -> AbstractContextManager[str]:
        """Open a span that is the parent of what is called inside; gives its id."""
        ...

    def current(self) -> str | None:
        """The id of the span that is current here."""

    def spans(self) -> list[Seen]:
        """The spans of calls that have ended since the last time; flushes first."""
        ...

    def close(self) -> None:
        """Undo everything."""

    @staticmethod
    def left_in(file: Path) -> list[Seen]:
        """What a process that has gone has left in its file."""
        ...
