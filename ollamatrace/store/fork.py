"""A fork finds no database open.

SQLite keeps a table of the files that a process has locked. A child inherits the table but not
the locks, so a connection of its own would take none, and lose what it writes as soon as the
parent closes the file. Therefore stores close their file before a fork and open it when needed.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_Release = Callable[[], None]

_holds: Final[weakref.WeakKeyDictionary[Any, Callable[[Any], _Release]]] = (
    weakref.WeakKeyDictionary()
)
_releases: Final[list[_Release]] = []
_forking: Final = threading.RLock()
"""Two threads fork one after the other: each closes the files for itself."""


def before_fork(owner: _T, hold: Callable[[_T], _Release]) -> None:
    """Have `hold` close the file of `owner` before each fork, and keep it closed.

    What it returns is called after the fork, in the parent and in the child.
    """
    with _forking:
        _holds[owner] = hold


def _before() -> None:
    _forking.acquire()
    for owner, hold in list(_holds.items()):
        _releases.append(hold(owner))


def _after() -> None:
    while _releases:
        _releases.pop()()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_after, after_in_parent=_after)
