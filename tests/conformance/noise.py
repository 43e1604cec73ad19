"""What a program would see on its logs: records, warnings, errors that nobody could raise."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

_reading: Final[set[int]] = set()
"""Threads that look at spans: what they cause is caused by the judge."""
_CHANGING = re.compile(r"0x[0-9a-f]+|\d+")


@contextlib.contextmanager
def heard() -> Iterator[Counter[str]]:
    """Count what is heard inside, by its text."""
    lines: Counter[str] = Counter()

    def note(kind: str, text: object) -> None:
        if threading.get_ident() in _reading:
            return
        lines[f"{kind}: {_CHANGING.sub('#', str(text))[:300]}"] += 1

    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if record.levelno >= logging.WARNING:
            note(f"log {record.name}", record.getMessage())
        return record

    def unraisable(event: Any) -> None:
        note("unraisable", f"{event.exc_type.__name__}: {event.exc_value}")

    def in_thread(event: Any) -> None:
        note("thread", f"{event.exc_type.__name__}: {event.exc_value}")

    hooks = sys.unraisablehook, threading.excepthook
    logging.setLogRecordFactory(made)
    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, category, *_where: note(
                f"warning {category.__name__}", message
            )
            yield lines
    finally:
        sys.unraisablehook, threading.excepthook = hooks
        logging.setLogRecordFactory(make)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Be quiet about what this thread does inside."""
    _reading.add(threading.get_ident())
    try:
        yield
    finally:
        _reading.discard(threading.get_ident())
