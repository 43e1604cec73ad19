"""Who is reading just now: a response closes itself at its end, inside of the read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, Final, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_DEPTH: Final = 64
"""Frames between our method that reads and the SDK's that closes; there are about a dozen."""
_readers: Final[set[CodeType]] = set()


def reader(function: F) -> F:
    """Mark a function of ours that reads."""
    _readers.add(cast("FunctionType", function).__code__)
    return function


def is_reading() -> bool:
    """Whether the caller runs inside of a read: in its own thread and task, that is.

    Looked for on the stack, once a stream, and not noted at each chunk, of which there are many.
    """
    frame = inspect.currentframe()
    for _ in range(_DEPTH):
        if frame is None or frame.f_code in _readers:
            break
        frame = frame.f_back
    return frame is not None and frame.f_code in _readers
