"""Our own failures: told to the `ollamatrace` logger, never to the program that is traced."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from ollamatrace.settings import Environment

P = ParamSpec("P")
T = TypeVar("T")

logger: Final = logging.getLogger("ollamatrace")

_INTERVAL_S: Final = 60.0
_last_told: Final[dict[str, float]] = {}


def warn(kind: str, message: str, told: Callable[[str], None] | None = None) -> None:
    """Log `message`, once a minute at most for each `kind`; `told` hears of it too.

    Args:
        kind: What the limit counts by, for instance ``"closed:<tracer>"``.
        message: One sentence that says what happened and what to do.
        told: The `on_warning` of a tracer; what it raises is logged.
    """
    if not _is_due(kind):
        return
    _say(logging.WARNING, message)
    if told is not None:
        try:
            told(message)
        except Exception as error:  # noqa: BLE001  it is the program's
            _say(logging.ERROR, "on_warning failed", error)


def report(where: str, error: Exception) -> None:
    """Log a failure of ours, once a minute at most for each place.

    Raises:
        Exception: `error` itself if ``OLLAMATRACE_STRICT=1``, as our own tests want it.
    """
    if Environment.read().strict:
        raise error
    if _is_due(f"failure:{where}:{type(error).__name__}"):
        _say(logging.ERROR, f"ollamatrace failed in {where}; the program goes on", error)


def _say(level: int, message: str, error: Exception | None = None) -> None:
    """Log, whatever a log handler of the program does."""
    with contextlib.suppress(Exception):
        logger.log(level, "%s", message, exc_info=error)


def _is_due(kind: str) -> bool:
    """Whether a minute has passed since this was asked for `kind` and answered with yes."""
    now = time.monotonic()
    due = now - _last_told.get(kind, -_INTERVAL_S) >= _INTERVAL_S
    if due:
        _last_told[kind] = now
    return due


def shielded(function: Callable[P, T]) -> Callable[P, T | None]:
    """Make `function` give ``None`` where it would raise; the failure is reported."""

    @functools.wraps(function)
    def shield(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  this is the place that may
            report(function.__qualname__, error)
            return None

    return shield
