"""Being asked at the end of the process, also where that is no end of the interpreter."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

_PRIORITY: Final = 0  # after the finalizers of the program, which may still end spans

Leave = Callable[[], None]


def ask_at_exit(leave: Leave) -> None:
    """Have `leave` called when this process ends, after all that is registered later."""
    atexit.unregister(leave)
    atexit.register(leave)
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        # Children of multiprocessing leave by os._exit, which asks nobody but its finalizers.
        sys.modules["multiprocessing.util"].Finalize(None, leave, exitpriority=_PRIORITY)
    _ask_in_celery(leave)


def ask_in_child(leave: Leave) -> None:
    """Have `leave` called at the end of this process, which has just been forked."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # What is registered before the child's own start is cleared there; this comes after.
        util.register_after_fork(ask_at_exit, partial(_in_child_of_multiprocessing, leave))
    _ask_in_celery(leave)


def _in_child_of_multiprocessing(leave: Leave, _: object) -> None:
    ask_at_exit(leave)


def _ask_in_celery(leave: Leave) -> None:
    """Celery's children leave by os._exit, too, and ask only those who hear this signal."""
    signals = sys.modules.get("celery.signals")
    if signals is None:
        return

    def asked(**_: Any) -> None:
        leave()

    signals.worker_process_shutdown.connect(asked, weak=False, dispatch_uid="ollamatrace")
