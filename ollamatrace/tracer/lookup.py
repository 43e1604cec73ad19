"""Which tracer a call uses that names none."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final, cast

from ollamatrace import guard
from ollamatrace.context import current_span, innermost
from ollamatrace.settings import Environment, default_store, is_disabled

if TYPE_CHECKING:
    from ollamatrace.tracer.tracer import Tracer


_RETRY_S: Final = 60.0
"""How long to go without a tracer where none could be made: trying takes milliseconds a call."""


class Registry:
    """The tracers of this process. It keeps none of them alive but the default ones."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._live: list[weakref.ref[Tracer]] = []
        self._only: weakref.ref[Tracer] | None = None
        self._default: Tracer | None = None
        self._environment: Tracer | None = None
        self._try_again_at = 0.0
        self._shared: dict[Hashable, weakref.ref[Tracer]] = {}

    def add(self, tracer: Tracer) -> None:
        """Count `tracer` among the live ones."""
        with self._lock:
            self._live.append(weakref.ref(tracer, self._forget))
            self._recount()

    def remove(self, tracer: Tracer) -> None:
        """Count it no longer: it is closed."""
        with self._lock:
            self._live = [ref for ref in self._live if ref() is not tracer]
            self._shared = {key: ref for key, ref in self._shared.items() if ref() is not tracer}
            if self._environment is tracer:
                self._environment = None
            self._recount()

    def set_default(self, tracer: Tracer | None) -> None:
        """Have calls use `tracer` that name none and are below no span of another."""
        self._default = tracer

    def shared(self, key: Hashable, make: Callable[[], Tracer]) -> Tracer:
        """The live tracer with this key, else the one that `make` makes."""
        with self._lock:
            ref = self._shared.get(key)
            tracer = ref() if ref is not None else None
            if tracer is None:
                tracer = make()
                self._shared[key] = weakref.ref(tracer)
            return tracer

    def resolve(self, *, to_read: bool = False) -> Tracer | None:
        """The tracer of the open span, else the default, the only live one, the environment's.

        ``None``, with one warning, if the environment's cannot be made; and where tracing is
        switched off, so that nothing is opened or imported, unless it is `to_read` traces.
        """
        span = current_span() or innermost()
        while span is not None and (span.is_remote or span.ended):
            span = span.outer
        if span is not None:
            return cast("Tracer", span.owner)
        only = self._only
        found = self._default or (only and only()) or self._environment
        if found or (not to_read and is_disabled()):
            return found
        return self._from_environment()

    def at_hand(self) -> Tracer | None:
        """The tracer that calls below no span would use; ``None`` if it would have to be made."""
        only = self._only
        return self._default or (only and only()) or self._environment

    def _from_environment(self) -> Tracer | None:
        with self._lock:
            if self._environment is None and time.monotonic() >= self._try_again_at:
                tracer = _make()
                self._try_again_at = time.monotonic() + (_RETRY_S if tracer is None else 0)
                # It is what is used for want of another, so it does not count as one.
                self._live = [ref for ref in self._live if ref() is not tracer]
                self._recount()
                self._environment = tracer
            return self._environment

    def after_fork(self) -> None:
        """Take a new lock in the child: a thread that it does not have may hold the old one."""
        self._lock = threading.RLock()

    def _forget(self, gone: weakref.ref[Tracer]) -> None:
        with self._lock:
            self._live = [ref for ref in self._live if ref is not gone]
            self._recount()

    def _recount(self) -> None:
        self._only = self._live[0] if len(self._live) == 1 else None


def _make() -> Tracer | None:
    """Make the environment's tracer; where its server cannot be, one with the embedded store."""
    from ollamatrace.tracer.tracer import Tracer

    attempts: list[tuple[str | None, str]] = [(None, "nothing is traced")]
    if Environment.read().server is not None:
        store = f"sqlite:///{default_store()}"
        attempts = [(None, f"traces go to {store}"), (store, "nothing is traced")]
    for server, instead in attempts:
        try:
            return Tracer(server)
        except Exception as error:  # noqa: BLE001  it must not reach the program
            guard.warn(f"environment:{server}", f"{error}; {instead}")
    return None


registry: Final = Registry()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=registry.after_fork)
