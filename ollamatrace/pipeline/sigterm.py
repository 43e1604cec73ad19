"""What a program can do about SIGTERM, which asks nobody: it ends a process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from ollamatrace.errors import ConfigError
from ollamatrace.guard import shielded
from ollamatrace.pipeline.worker import worker

_TIMEOUT_S: Final = 5.0


def flush_on_sigterm(timeout: float = _TIMEOUT_S) -> None:
    """Deliver what all tracers have when SIGTERM comes, then let it do what it did before.

    Without it SIGTERM ends a program as it does without a tracer: at once, and what ended in the
    last 0.2 seconds is lost. With it, what ended is delivered first. Then the handler that was
    there is called; if there was none, open spans end as ``abandoned`` and the process is killed
    by the signal, as it would have been. A second SIGTERM in between ends it at once.

    Forked children inherit it; others call it themselves. A server that installs a handler of its
    own later (uvicorn, gunicorn, ``loop.add_signal_handler``) replaces this one.

    Args:
        timeout: The longest time in seconds that it may take.

    Raises:
        ConfigError: this is not the main thread, the timeout is not positive, or another
            program's handler (not one of Python) is there, which cannot be called.
    """
    if not timeout > 0:  # what is no number is not
        raise ConfigError(f"timeout must be greater than 0, not {timeout!r}")
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError("flush_on_sigterm works in the main thread only: call it there")
    before: Any = signal.getsignal(signal.SIGTERM)
    if before is None:
        raise ConfigError("SIGTERM has a handler that Python cannot call; flush in that one")
    if isinstance(before, _Handler):
        before = before.before
    signal.signal(signal.SIGTERM, _Handler(before, timeout))


class _Handler:
    def __init__(
        self, before: Callable[[int, FrameType | None], Any] | int, timeout: float
    ) -> None:
        self.before = before
        self._timeout = timeout

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)  # first: who sends a second one is not waiting
            shielded(worker.leave)(self._timeout)
            signal.raise_signal(number)
            return
        shielded(worker.flush)(self._timeout)  # the program may go on, and so its open spans do
        if callable(self.before):
            self.before(number, frame)
