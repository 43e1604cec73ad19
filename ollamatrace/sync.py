"""Blocking twins of the functions that wait: the same code, run to its end on a thread.

They may be used anywhere, also inside a running event loop (a notebook), which they block.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

from anyio.from_thread import BlockingPortalProvider

from ollamatrace import tracer

P = ParamSpec("P")
T = TypeVar("T")


class _Portals:
    """The portal of this process: a child of a fork has no use for its parent's thread."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.here = BlockingPortalProvider()


_portals: Final = _Portals()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_portals.renew)


def _blocking(function: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    @functools.wraps(function)
    def twin(*args: P.args, **kwargs: P.kwargs) -> T:
        with _portals.here as portal:
            return portal.call(functools.partial(function, *args, **kwargs))

    return twin


search_traces = _blocking(tracer.search_traces)
get_trace = _blocking(tracer.get_trace)

__all__ = ["get_trace", "search_traces"]
