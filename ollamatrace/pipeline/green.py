"""Programs whose threads are not threads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from ollamatrace import guard

_PATCHERS: Final = (
    ("gevent", "gevent.monkey", "is_module_patched", "threading"),
    ("eventlet", "eventlet.patcher", "is_monkey_patched", "thread"),
)


def threads_are_green() -> str | None:
    """The name of what has replaced Python's threads, if something has."""
    for name, module, asks, what in _PATCHERS:
        is_patched = getattr(sys.modules.get(module), asks, None)
        if is_patched is not None and is_patched(what):
            return name
    return None


def warn_if_green(told: Callable[[str], None] | None) -> None:
    """Say that gevent and eventlet are not supported, if one of them has replaced threads."""
    name = threads_are_green()
    if name is not None:
        guard.warn(
            f"green:{name}",
            f"{name} has replaced Python's threads; ollamatrace does not support that, and "
            "traces may be late or lost. Run the program with real threads or asyncio",
            told,
        )
