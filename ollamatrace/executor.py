"""Executors whose tasks run in the context of who submits them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ELSEWHERE: Final = (
    ("concurrent.futures.process", "ProcessPoolExecutor"),
    ("concurrent.futures.interpreter", "InterpreterPoolExecutor"),
)
"""Executors to which a context cannot be brought."""


def copy_context_executor(executor: Executor) -> Executor:
    """Make what is submitted to `executor` run in a copy of the context at that moment.

    So the current span is the parent of what begins in its threads, and a session holds there.

    Args:
        executor: A `ThreadPoolExecutor`, for instance. It goes on working by itself, too.

    Returns:
        An executor in front of it, for ``with``, ``loop.run_in_executor`` and whatever else takes
        one; `shutdown` is that of `executor`.

    Raises:
        TypeError: it is none, or one of processes: a context cannot be pickled.

    Example:
        >>> with copy_context_executor(ThreadPoolExecutor()) as pool, span("all"):
        ...     answers = list(pool.map(ask, questions))
    """
    if isinstance(executor, _CopyingExecutor):
        return executor
    if not isinstance(executor, Executor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"copy_context_executor takes a concurrent.futures.Executor, not {type(executor)!r}"
        )
    for module, name in _ELSEWHERE:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(executor, kind):
            raise TypeError(
                f"copy_context_executor cannot take a {name}: a context cannot be pickled. Give "
                "each task the headers that inject() makes, and begin it with extract(headers)"
            )
    return _CopyingExecutor(executor)


class _CopyingExecutor(Executor):
    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        # One copy a task: a context cannot be entered twice at the same time.
        run: Any = copy_context().run
        return self._executor.submit(run, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  its signature
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def __repr__(self) -> str:
        return f"<copy_context_executor of {self._executor!r}>"
