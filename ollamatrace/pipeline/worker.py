"""The one background thread of the process. It serves every tracer and yields to the program."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Literal

from ollamatrace import guard
from ollamatrace.pipeline.green import threads_are_green
from ollamatrace.pipeline.leaving import ask_at_exit, ask_in_child
from ollamatrace.pipeline.pause import Pause

if TYPE_CHECKING:
    from ollamatrace.pipeline.pipeline import Pipeline

_IDLE_AFTER_S: Final = 5.0
_LONGEST_S: Final = 3600.0
_EXIT_S: Final = 5.0
_EXIT_PATIENCE_S: Final = 0.5

Wake = Literal["begun", "full", "flush"]
_URGENCY: Final[tuple[Wake, ...]] = ("begun", "full", "flush")


class Worker:
    """Pumps every pipeline: soon after a span ended, at once when a batch is full or on a flush."""

    def __init__(self) -> None:
        self.idle = True
        """It sleeps until it is woken; otherwise it looks by itself."""
        self._pipelines: set[Pipeline] = set()  # replaced, not changed: others iterate over it
        self._changing = threading.RLock()  # a collected tracer may come in between
        self._wakes: SimpleQueue[Wake] = SimpleQueue()  # its put may be re-entered
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._at_exit = False
        self._pause = Pause()

    def add(self, pipeline: Pipeline) -> None:
        """Serve `pipeline` from now on, up to the end of the interpreter."""
        with self._changing:
            if not self._pipelines:
                ask_at_exit(self.leave)
            self._pipelines = {*self._pipelines, pipeline}
        self.look_again()  # its delay may be shorter than those of the others

    def remove(self, pipeline: Pipeline) -> None:
        """Serve it no longer."""
        with self._changing:
            self._pipelines = self._pipelines - {pipeline}

    def look_again(self) -> bool:
        """Have the worker look at its pipelines; says whether it runs."""
        runs = self._thread is not None
        if runs:
            self._wakes.put("begun")
        return runs

    def wake(self, pipeline: Pipeline, why: Wake) -> bool:
        """Have the worker look; where no thread can be had, do the work here and say ``False``."""
        if self._thread is None and not self._start():
            pipeline.pump(_no_pause, now=True)
            return False
        self._wakes.put(why)
        return True

    def is_me(self) -> bool:
        """Whether the calling thread is the worker."""
        return threading.current_thread() is self._thread

    def _start(self) -> bool:
        # A thread that is started when the interpreter is finalized never runs, and `start` waits.
        # A green one would wait, in the queue, for all that is in the program.
        if self._at_exit or sys.is_finalizing() or threads_are_green():
            return False
        if not self._starting.acquire(blocking=False):
            return True  # somebody is starting it: the wake finds it
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="ollamatrace", daemon=True)
                thread.start()
                self._thread = thread
                self.idle = False
        except RecursionError:
            return True  # at the end of the stack nothing can be done; the next to end starts it
        except RuntimeError as error:
            if "shutdown" not in str(error):  # from 3.12 on no thread starts then: that is usual
                guard.warn(
                    "threads",
                    f"no thread can be started ({error}): who ends a span stores it, and what is "
                    "for a server waits for the next program",
                )
            return False
        finally:
            self._starting.release()
        return True

    def _run(self) -> None:
        try:
            busy_at = time.monotonic()
            while True:
                flush = self._sleep(quiet=time.monotonic() - busy_at > _IDLE_AFTER_S)
                for pipeline in self._pipelines:
                    # Without memory, say, one fails: the others and the next time are not lost.
                    if guard.shielded(pipeline.pump)(self._pause, now=flush):
                        busy_at = time.monotonic()
                    if pipeline.retired and pipeline.quiet:
                        guard.shielded(pipeline.release)()
        finally:  # it runs for ever, unless a failure is raised under OLLAMATRACE_STRICT
            self._thread = None
            self.idle = True

    def _sleep(self, *, quiet: bool) -> bool:
        """Wait until there is something to do; says whether somebody waits for it."""
        now = time.monotonic()
        retries = [pipeline.retry_at for pipeline in self._pipelines if pipeline.retry_at]
        delay = min((pipeline.delay_s for pipeline in self._pipelines), default=_LONGEST_S)
        if any(pipeline.behind for pipeline in self._pipelines):
            delay = 0.0
        elif retries:
            delay = min(delay, max(min(retries) - now, 0.001))
        elif quiet:
            self.idle = True
            # A span that ended before `idle` was set has woken nobody: look once more.
            found = any(pipeline.waiting for pipeline in self._pipelines)
            why = None if found else self._next_wake(None)
            self.idle = False
            if why != "begun":
                return why == "flush"
        return self._next_wake(min(delay, _LONGEST_S)) == "flush"

    def _next_wake(self, timeout: float | None) -> Wake | None:
        """The most urgent of the wake-ups that are here, ``None`` if none came in `timeout` s."""
        try:
            wakes: list[Wake] = [self._wakes.get(timeout=timeout)]
        except Empty:
            return None
        with contextlib.suppress(Empty):
            while True:
                wakes.append(self._wakes.get_nowait())
        return max(wakes, key=_URGENCY.index)

    def flush(self, timeout: float) -> None:
        """Wait for at most `timeout` seconds while spans arrive, but not for what is down."""
        deadline = time.monotonic() + timeout
        for pipeline in self._pipelines:
            pipeline.flush(deadline - time.monotonic(), patience=_EXIT_PATIENCE_S)

    def leave(self, timeout: float | None = None) -> None:
        """End what is open, `flush`, and give up on the rest: the process ends."""
        try:
            for pipeline in self._pipelines:
                for span in list(pipeline.open.values()):
                    guard.shielded(span.abandon)()
                pipeline.finish_traces()
            self.flush(_EXIT_S if timeout is None else timeout)
        except KeyboardInterrupt:  # a second Ctrl-C: leave at once
            pass
        finally:
            self._at_exit = True
            self._thread = None  # from here on whoever ends a span brings it on its way
            self.idle = True
            for pipeline in self._pipelines:
                pipeline.give_up()

    def after_fork(self) -> None:
        """Start anew in the child: threads do not survive a fork."""
        self.idle = True
        self._thread = None
        self._starting = threading.Lock()
        self._changing = threading.RLock()
        self._wakes = SimpleQueue()
        for pipeline in self._pipelines:
            pipeline.forget()
        if self._pipelines:
            ask_in_child(self.leave)


def _no_pause() -> None:
    """Nobody is kept waiting by the thread that does its own work."""


worker: Final = Worker()
flush_all: Final = worker.flush

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=worker.after_fork)
