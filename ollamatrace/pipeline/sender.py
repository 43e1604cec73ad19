"""The thread that brings parcels to one server, and what it does when the server does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ollamatrace import guard
from ollamatrace.pipeline.attempts import Attempts
from ollamatrace.pipeline.channel import Broken, Channel, Denied, Refused, Unavailable
from ollamatrace.pipeline.parcel import Item

_IDLE_S: Final = 5.0
_PROBES: Final = 8
"""How often one record is refused, while nothing else is taken, before it is given up."""
_FAILURES: Final = 4
"""How often the server fails over records before they are sent in parts."""
_FAILURES_OF_ALL: Final = 16
"""How many parts it fails over, and takes none, before it is known to be down."""


class Sender:
    """Takes items, sends them, and says what became of each. It blocks, in a thread of its own.

    Args:
        channel: The way to the server.
        take: Gives the next items that fit into one request; none if there is nothing.
        put_back: Takes what could not be sent.
        delivered: Hears what has arrived.
        rejected: Hears what the server never takes, and why.
        told: The tracer's `on_warning`.
        progress: Called after each attempt, whatever came of it.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        take: Callable[[], list[Item]],
        put_back: Callable[[Iterable[Item]], None],
        delivered: Callable[[Iterable[Item]], None],
        rejected: Callable[[Item, str], None],
        told: Callable[[str], None] | None,
        progress: Callable[[], None],
    ) -> None:
        self._url = channel.url
        self._attempts = Attempts(channel, told, progress)
        self._take = take
        self._put_back = put_back
        self._delivered = delivered
        self._rejected = rejected
        self._told = told
        self._progress = progress
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._thread: threading.Thread | None = None
        self._denied = False

    @property
    def busy(self) -> bool:
        """Whether its thread lives."""
        return self._thread is not None

    def wake(self, *, now: bool, may_block: bool) -> None:
        """There is something to send.

        Args:
            now: Also to a server that was down a moment ago.
            may_block: Where no thread can start, the calling one sends what it can; else what is
                spooled stays there.
        """
        if now:
            self._attempts.hurry()
        if self._denied:
            return
        self._work.set()
        with self._lock:
            if self.busy or self._attempts.stopped:
                return
            thread = threading.Thread(
                target=self._run, args=(_IDLE_S,), name="ollamatrace-send", daemon=True
            )
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter ends
                self._thread = threading.current_thread() if may_block else None
            else:
                return
        if may_block:
            self._attempts.patient = False
            self._run(0.0)

    def forgive(self) -> None:
        """Try a server again that denied access: somebody may have changed that."""
        self._denied = False

    def gives_up(self, patience: float | None) -> bool:
        """Whether the server denied access, or has been down for longer than `patience` seconds."""
        return self._denied or (patience is not None and self._attempts.is_down_for(patience))

    def stop(self) -> None:
        """Send nothing more after the request that is on its way."""
        self._attempts.stop()
        self._work.set()

    def _run(self, idle_s: float) -> None:
        try:
            while self._is_wanted(idle_s):
                self._work.clear()
                while not self._attempts.stopped and not self._denied and (items := self._take()):
                    self._ship(items)
                    self._progress()
        except Unavailable:
            pass  # it has been stopped
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None
            self._progress()

    def _is_wanted(self, idle_s: float) -> bool:
        """Wait for work; a `wake` finds the thread either here or gone."""
        if self._work.wait(idle_s):
            return not self._attempts.stopped and not self._denied
        with self._lock:
            if not self._work.is_set():
                self._thread = None
            return self._thread is not None

    def _ship(self, items: Sequence[Item]) -> None:
        """Send all of `items`, in as many requests as the server makes necessary.

        Raises:
            Unavailable: the server is not there, and sending has been stopped.
        """
        groups: list[Sequence[Item]] = [items]
        refused: list[tuple[Item, Refused | Broken]] = []
        try:
            taken = self._send_in_parts(groups, refused)
            while refused:
                item, failure = refused[0]
                if isinstance(failure, Broken) and not taken:
                    raise failure  # nobody is taken: it is not about this one
                # A server whose database is down refuses everything, too: who is refused gets
                # more attempts as long as nobody else is taken.
                if self._is_taken_later(item, 1 if taken else _PROBES):
                    self._delivered([item])
                    taken = True
                else:
                    self._rejected(item, str(failure))
                refused.pop(0)
        except (Denied, Unavailable) as error:
            left = [item for group in groups for item in group]
            self._put_back(left + [item for item, _ in refused])
            self._give_up_for_now(error)

    def _send_in_parts(
        self, groups: list[Sequence[Item]], refused: list[tuple[Item, Refused | Broken]]
    ) -> bool:
        """Halve what the server refuses, down to single records; whether it took anything.

        Args:
            groups: What is to be sent, the last first; empty in the end.
            refused: Gets the records that the server refuses, or fails over, each by itself.
        """
        taken = False
        failures = 0
        while groups:
            try:
                self._send(groups[-1], failures=1 if failures else _FAILURES)
            except (Refused, Broken) as error:
                failures += isinstance(error, Broken)
                if failures > _FAILURES_OF_ALL and not taken:
                    raise
                group = groups.pop()
                groups += _halves(group)
                if len(group) == 1:
                    refused.append((group[0], error))
            else:
                self._delivered(groups.pop())
                taken = True
        return taken

    def _is_taken_later(self, item: Item, probes: int) -> bool:
        try:
            self._send([item], probes=probes)
        except (Refused, Broken):
            return False
        return True

    def _send(self, items: Sequence[Item], *, probes: int = 1, failures: int = 1) -> None:
        records = [item.record for item in items]
        self._attempts.send(records, probes=probes, failures=failures)

    def _give_up_for_now(self, error: Denied | Unavailable) -> None:
        if isinstance(error, Denied):
            self._denied = True
            guard.warn(
                f"denied:{self._url}",
                f"{error}. Until the program starts again, or calls flush, spans only wait on disk",
                self._told,
            )
        elif isinstance(error, Broken) and not self._attempts.stopped:
            self._attempts.rest(error)
        else:
            raise error


def _halves(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Two halves by trace, or of the only trace; nothing if there is only one record."""
    traces: dict[str, list[Item]] = {}
    for item in items:
        traces.setdefault(item.record.trace_id, []).append(item)
    parts = list(traces.values()) if len(traces) > 1 else [[item] for item in items]
    middle = len(parts) // 2
    halves = parts[middle:], parts[:middle]  # the first half is taken first: from the end
    return [[item for part in half for item in part] for half in halves] if middle else []
