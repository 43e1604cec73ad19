"""Work in the background gives up the GIL where somebody wants it, and only there."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ollamatrace.pipeline import pause as module
from ollamatrace.pipeline.pause import Pause

_DEADLINE_S = 20.0
_WAKES = 20
_LOOKS = 10


@pytest.fixture
def _only_by_itself() -> Iterator[None]:
    """Nobody is made to give up the GIL."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(10 * _DEADLINE_S)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_only_by_itself")
def test_a_thread_that_wakes_up_gets_the_gil() -> None:
    woken = threading.Event()

    def program() -> None:
        for _ in range(_WAKES):
            time.sleep(0.001)
        woken.set()

    thread = threading.Thread(target=program)
    thread.start()
    pause = Pause()
    deadline = time.monotonic() + _DEADLINE_S
    while not woken.is_set() and time.monotonic() < deadline:
        pause()
    in_time = woken.is_set()
    thread.join()
    assert in_time


def test_the_gil_is_kept_while_nobody_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sleep, clock, me = time.sleep, time.process_time_ns, threading.get_ident()

    def given_up(seconds: float) -> None:
        if threading.get_ident() == me:
            calls.append("given up")
        sleep(seconds)

    def looked() -> int:
        if threading.get_ident() == me:
            calls.append("looked")
        return clock()

    monkeypatch.setattr(module.time, "sleep", given_up)
    monkeypatch.setattr(module.time, "process_time_ns", looked)
    pause = Pause()
    deadline = time.monotonic() + _DEADLINE_S
    # Threads that other tests have left may run for a while.
    while calls[-_LOOKS:] != ["looked"] * _LOOKS and time.monotonic() < deadline:
        pause()
    assert calls[-_LOOKS:] == ["looked"] * _LOOKS
