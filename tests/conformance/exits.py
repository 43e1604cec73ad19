"""The table: in which ways a call ends, and what its span must then say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.conformance import rows_async as a
from tests.conformance import rows_sync as s
from tests.conformance.clients import Column


@dataclass(frozen=True)
class Row:
    """One way, for synchronous and for asynchronous clients."""

    name: str
    sync: Callable[..., Any] | str
    """What the program does; a text says why there is no such thing."""
    asynchronous: Callable[..., Any] | str
    status: str = "OK"
    end_reason: str = "closed"
    outside: bool = False
    """Whether the parent has ended before the stream is read."""
    collected: bool = False
    """Whether the span may end as late as when the stream is collected."""
    loop: Literal["asyncio", "trio", "anyio", "own"] = "asyncio"
    process: bool = False
    """Whether it is a process of its own."""
    timeout_s: float = 20
    """The client's own."""
    openai_only: str = ""
    """Why Ollama's clients have no such thing."""
    opinions: tuple[str, ...] = ()
    """Statuses that are as good where a wrapper does not say why a span ended."""
    if_bare_survives: bool = False
    """Whether the row says nothing where the bare client itself fails."""

    def absent(self, column: Column) -> str | None:
        """Why the cell is empty; ``None`` if it is not."""
        if self.openai_only and not column.openai:
            return self.openai_only
        way = self.asynchronous if column.is_async else self.sync
        return way if isinstance(way, str) else None


_TASKS = "a synchronous call is no task"
_LOOPS = "a synchronous call has no event loop"
_HELPER = "ollama has no such helper"
_RAW = "ollama has no raw responses"
_STOPPED: Final = {"status": "CANCELLED", "end_reason": "cancelled"}

ROWS: Final = (
    Row("answered", s.answered, a.answered, end_reason="returned"),
    Row("the server says an error", s.failed, a.failed, "ERROR", "error"),
    Row("the client's own timeout", s.timed_out, a.hung, "ERROR", "error", timeout_s=0.2),
    Row("exhausted", s.exhausted, a.exhausted, end_reason="exhausted"),
    Row(
        "exhausted after its parent has ended",
        s.exhausted,
        a.exhausted,
        end_reason="exhausted",
        outside=True,
    ),
    Row("break inside with", s.left, a.left),
    Row("break inside with, its parent has ended", s.left, a.left, outside=True),
    Row("break, then collected", s.dropped, a.dropped, end_reason="abandoned", collected=True),
    Row("never read", s.never_read, a.never_read, end_reason="abandoned", collected=True),
    Row(
        "never read, its parent has ended",
        s.never_read,
        a.never_read,
        end_reason="abandoned",
        outside=True,
        collected=True,
    ),
    Row("closed", s.closed, a.closed),
    Row(
        "the program raises inside with",
        s.raised_in_with,
        a.raised_in_with,
        opinions=("ERROR",),  # the call was well, its block was not
    ),
    Row(
        "the program raises in a bare loop",
        s.raised_in_loop,
        a.raised_in_loop,
        end_reason="abandoned",
        collected=True,
    ),
    Row("a generator around it is closed", s.own_generator, a.own_generator),
    Row("the server cuts the connection", s.cut, a.cut, "ERROR", "error"),
    Row("the server sends no final message", s.stopped, a.stopped, end_reason="incomplete"),
    Row("task.cancel before the answer", _TASKS, a.cancelled_answer, **_STOPPED),
    Row("task.cancel between chunks", _TASKS, a.cancelled_chunk, **_STOPPED),
    Row("asyncio.wait_for", _TASKS, a.waited_for, **_STOPPED),
    Row("asyncio.timeout", _TASKS, a.timed_block, **_STOPPED),
    Row("trio's cancel scope", _TASKS, a.trio_scope, **_STOPPED, loop="trio"),
    Row("anyio's cancel scope", _TASKS, a.anyio_scope, **_STOPPED, loop="anyio"),
    Row("Ctrl-C before the answer", s.interrupted_answer, a.interrupted_answer, **_STOPPED),
    Row("Ctrl-C between chunks", s.interrupted_chunk, a.interrupted_chunk, **_STOPPED),
    Row("closed in another thread or task", s.closed_elsewhere, a.closed_elsewhere),
    Row(
        "closed in another event loop",
        _LOOPS,
        a.closed_in_another_loop,
        loop="own",
        if_bare_survives=True,
    ),
    Row(
        "exhausted in another thread or task",
        s.read_elsewhere,
        a.read_elsewhere,
        end_reason="exhausted",
        outside=True,
    ),
    Row(
        "the event loop ends",
        _LOOPS,
        a.loop_ended,
        end_reason="abandoned",
        collected=True,
        loop="own",
    ),
    Row("the interpreter exits", s.read, a.read, end_reason="abandoned", process=True),
    Row("break inside with of the helper stream()", s.helper, a.helper, openai_only=_HELPER),
    Row(
        "with_streaming_response, half read",
        s.streaming_half_read,
        a.streaming_half_read,
        openai_only=_RAW,
    ),
    Row(
        "with_streaming_response, not read",
        s.streaming_unread,
        a.streaming_unread,
        end_reason="abandoned",
        openai_only=_RAW,
    ),
    Row("with_raw_response, parse(), break", s.raw_parsed, a.raw_parsed, openai_only=_RAW),
)
