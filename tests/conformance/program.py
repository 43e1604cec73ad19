"""The program around one call, and what it sees: the same for a bare and for a traced client."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.conformance.clients import Column
from tests.conformance.server import ModelServer
from tests.conformance.wrapper import Wrapper

ENOUGH: Final = 2
"""After so many chunks the program has enough."""
SOON_S: Final = 0.05
"""How long a program waits that has a limit."""
_DEADLINE_S: Final = 5.0
_STEADY: Final = 10


class OwnError(Exception):
    """What the program itself raises."""


class Program:
    """What a row of the table has in its hands."""

    def __init__(
        self,
        column: Column,
        client: Any,
        server: ModelServer,
        wrapper: Wrapper | None,
        *,
        outside: bool = False,
        keeps: bool = True,
    ) -> None:
        self.column = column
        self.client = client
        self.server = server
        self.own = OwnError("the program's own")
        self.texts: list[str] = []
        self.raised: list[str] = []
        self.parent_id: str | None = None
        self.currents: list[tuple[str, str | None]] = []
        """Where the current span was not what it was at first, and what it was."""
        self._wrapper = wrapper
        self._outside = outside
        self._keeps = keeps
        self._kept: list[Any] = []
        self._first = self.current()

    # Asking

    def ask(self, model: str = "stalls") -> Any:
        """The stream of a synchronous client."""
        with self.parent() if self._outside else contextlib.nullcontext():
            return self.keep(self.column.ask(self.client, model, stream=True))

    async def aask(self, model: str = "stalls") -> Any:
        """The stream of an asynchronous client."""
        with self.parent() if self._outside else contextlib.nullcontext():
            return self.keep(await self.column.ask(self.client, model, stream=True))

    def keep(self, stream: Any) -> Any:
        """Hold the stream until everything was looked at, unless the row is to lose it."""
        if self._keeps:
            self._kept.append(stream)
        return stream

    # Seeing

    def got(self, answer: Any) -> bool:
        """See a chunk or an answer; whether that is enough."""
        return self.got_text(self.column.text(answer))

    def got_text(self, text: str) -> bool:
        self.texts.append(text)
        self.look("while it goes on")
        return len(self.texts) >= ENOUGH

    def look(self, where: str) -> None:
        """Look whether the current span is still that from before the call."""
        current = self.current()
        here = threading.current_thread() is threading.main_thread()
        if current != self._first and (here or current is not None):
            self.currents.append((where, current))

    def saw(self, error: BaseException) -> None:
        """See an exception: the program's own must be the same object."""
        if isinstance(error, OwnError):
            self.raised.append("own" if error is self.own else "a copy of own")
            error.__traceback__ = error.__context__ = None  # it would hold the stream
        else:
            self.raised.append(f"{type(error).__qualname__}: {error}")

    def drop(self) -> None:
        """Hold no stream any more, and collect."""
        self._kept.clear()
        for _ in range(3):  # what one round finalises may free more
            gc.collect()

    # The wrapper

    def current(self) -> str | None:
        return None if self._wrapper is None else self._wrapper.current()

    @contextlib.contextmanager
    def parent(self) -> Iterator[None]:
        """Be inside a span that is the parent of the call."""
        if self._wrapper is None:
            yield
            return
        before = self._first
        with self._wrapper.parent() as self.parent_id:
            self._first = self.current()
            yield
            self.look("after the call")
        self._first = before

    # Waiting

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait in a thread of its own."""
        until = time.monotonic() + _DEADLINE_S
        while not condition() and time.monotonic() < until:
            time.sleep(0.002)

    def interrupt(self) -> None:
        """Press Ctrl-C as soon as the main thread does nothing but wait for the server."""
        hanging = self.server.hanging
        main = threading.main_thread()

        def press() -> None:
            if not self.texts:
                self.wait(lambda: self.server.hanging > hanging)
            self.wait(_Steady(main.ident))
            signal.pthread_kill(main.ident, signal.SIGINT)

        threading.Thread(target=press, daemon=True).start()


class _Steady:
    """Whether a thread stays at one place, outside of this folder, for some looks."""

    def __init__(self, ident: int | None) -> None:
        self._ident = ident
        self._last: tuple[int, int] | None = None
        self._looks = 0

    def __call__(self) -> bool:
        frame = sys._current_frames()[self._ident]
        place = id(frame), frame.f_lasti
        ours = Path(frame.f_code.co_filename).parent == Path(__file__).parent
        self._looks = self._looks + 1 if place == self._last and not ours else 0
        self._last = place
        return self._looks >= _STEADY
