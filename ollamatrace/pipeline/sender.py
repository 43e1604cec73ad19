"""The thread that brings parcels to one server, and what it does where the server refuses them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ollamatrace import guard
from ollamatrace.pipeline.attempts import Attempts
from ollamatrace.pipeline.channel import Broken, Channel, Denied, Refused, Unavailable
from ollamatrace.pipeline.parcel import Item

_PROBES: Final = 8
"""How often one record is refused, while nothing else is taken, before it is given up."""
_FAILURES: Final = 4
"""How often the server fails over records before they are sent in parts."""
_FAILURES_OF_ALL: Final = 16
"""How many parts it fails over, and takes none, before it is known to be down."""


class Sender:
    """Takes items, sends them, and says what became of each. It blocks, in a thread of its own.

    The thread lives from the tracer's first span to its end: one that is needed for the last span
    of a program could not be started any more.

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
        self._lock = threading.RLock()
        self._work = threading.Event()
        self._thread: threading.Thread | None = None
        self._denied = False

    def start(self) -> None:
        """Start its thread, if it has none: at the end of the interpreter none can start."""
        with self._lock:
            if self._thread is not None or self._attempts.stopped:
                return
            thread = threading.Thread(target=self._run, name="ollamatrace-send", daemon=True)
            with contextlib.suppress(RuntimeError):  # no more threads: spans stay where they are
                thread.start()
                self._thread = thread

    def wake(self, *, now: bool) -> None:
        """There is something to send; `now`: also to a server that was down a moment ago."""
        if now:
            self._attempts.hurry()
        self._work.set()
        self.start()

    def forgive(self) -> None:
        """Try a server again that denied access: somebody may have changed that."""
        self._denied = False

    def gives_up(self, patience: float | None) -> bool:
        """Whether nothing is to be expected of it.

        The server denied access, or has been down for longer than `patience` seconds; or there is
        no thread.
        """
        down = patience is not None and self._attempts.is_down_for(patience)
        return self._denied or self._thread is None or down

    @property
    def denied(self) -> bool:
        """Whether the server takes nothing until somebody changes something."""
        return self._denied

    @property
    def trouble(self) -> str | None:
        """Why the server takes nothing now; ``None`` while all is well."""
        return self._attempts.trouble

    def stop(self) -> None:
        """Send nothing more after the request that is on its way."""
        self._attempts.stop()
        self._work.set()

    def _run(self) -> None:
        while not self._attempts.stopped:
            self._work.wait()
            self._work.clear()
            while not self._attempts.stopped and not self._denied and (items := self._taken()):
                self._ship(items)
                self._progress()

    def _taken(self) -> list[Item]:
        while not self._attempts.stopped:
            try:
                return self._take()
            except Exception as error:  # noqa: BLE001  nothing may end the thread
                self._give_up_for_now(error)
        return []

    def _ship(self, items: Sequence[Item]) -> None:
        """Send all of `items`, in as many requests as the server makes necessary."""
        groups: list[Sequence[Item]] = [items]
        refused: list[tuple[Item, Refused | Broken]] = []
        try:
            control = self._send_in_parts(groups, refused)
            self._decide(refused, control)
        except Exception as error:  # noqa: BLE001  nothing may end the thread
            left = [item for group in groups for item in group]
            self._put_back(left + [item for item, _ in refused])
            self._give_up_for_now(error)

    def _send_in_parts(
        self, groups: list[Sequence[Item]], refused: list[tuple[Item, Refused | Broken]]
    ) -> Sequence[Item]:
        """Halve what the server refuses, down to single records.

        Args:
            groups: What is to be sent, the last first; empty in the end.
            refused: Gets the records that the server refuses, or fails over, each by itself.

        Returns:
            Some of what it took, to see later whether it takes anything; empty if it took nothing.
        """
        taken: Sequence[Item] = ()
        failures = 0
        while groups:
            try:
                self._send(groups[-1], failures=1 if failures else _FAILURES)
            except (Refused, Broken) as error:
                failures += isinstance(error, Broken)
                if failures > _FAILURES_OF_ALL and not taken:
                    raise
                halves = _halves(groups[-1])
                group = groups.pop()
                groups += halves
                if len(group) == 1:
                    refused.append((group[0], error))
            else:
                taken = _last_trace(groups[-1])
                self._delivered(groups.pop())
        return taken

    def _decide(
        self, refused: list[tuple[Item, Refused | Broken]], control: Sequence[Item]
    ) -> None:
        """Find out which of those that were refused are refused for good.

        Args:
            refused: Single records; empty in the end.
            control: What the server took; empty if it took nothing.

        Raises:
            Unavailable: it takes nothing now, so it is not about these.
        """
        if refused and control:
            self._check(control)
        while refused:
            item, failure = refused[0]
            if isinstance(failure, Broken) and not control:
                raise failure
            # A server whose database is down refuses everything, too, and may do so off and on: it
            # must take others just before and just after. Without others there are more attempts.
            if self._is_taken_later(item, 1 if control else _PROBES):
                self._delivered([item])
                control = control or [item]
            else:
                if control:
                    self._check(control)
                self._rejected(item, str(failure))
            refused.pop(0)

    def _check(self, control: Sequence[Item]) -> None:
        """See whether the server takes now what it took before; that changes nothing there.

        Raises:
            Unavailable: it does not.
        """
        try:
            self._send(control)
        except Refused as error:
            raise Unavailable(str(error)) from error

    def _is_taken_later(self, item: Item, probes: int) -> bool:
        try:
            self._send([item], probes=probes)
        except (Refused, Broken):
            return False
        return True

    def _send(self, items: Sequence[Item], *, probes: int = 1, failures: int = 1) -> None:
        records = [item.record for item in items]
        self._attempts.send(records, probes=probes, failures=failures)

    def _give_up_for_now(self, error: Exception) -> None:
        if isinstance(error, Denied):
            self._denied = True
            self._attempts.trouble = str(error)
            guard.warn(
                f"denied:{self._url}",
                f"{error}. Until the program starts again, or calls flush, spans only wait on disk",
                self._told,
            )
        else:
            if not isinstance(error, Unavailable):
                guard.report("Sender", error)
            self._attempts.rest(error)


def _last_trace(items: Sequence[Item]) -> Sequence[Item]:
    """The items of the last one's trace: with its updates, so that it can be sent again."""
    return [item for item in items if item.record.trace_id == items[-1].record.trace_id]


def _halves(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Two halves by trace, or of the only trace; nothing if there is only one record."""
    traces: dict[str, list[Item]] = {}
    for item in items:
        traces.setdefault(item.record.trace_id, []).append(item)
    parts = list(traces.values()) if len(traces) > 1 else [[item] for item in items]
    middle = len(parts) // 2
    halves = parts[middle:], parts[:middle]  # the first half is taken first: from the end
    return [[item for part in half for item in part] for half in halves] if middle else []
