"""One server's way out of the pipeline: keep first, in the spool, then send."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ollamatrace import guard
from ollamatrace.pipeline.adopted import Adopted
from ollamatrace.pipeline.channel import Channel
from ollamatrace.pipeline.lag import Lag
from ollamatrace.pipeline.ledger import Account, Batch, Ledger, Numbers
from ollamatrace.pipeline.parcel import Item, Parcel
from ollamatrace.pipeline.ranges import Ranges
from ollamatrace.pipeline.sender import Sender
from ollamatrace.records import SpanRecord
from ollamatrace.settings import Delivery
from ollamatrace.spool import Place, Spool

_MEMORY_BYTES: Final = 16 * 1024 * 1024
"""How much of what is spooled is in memory too, so that it need not be read back."""
_ADOPT_S: Final = 60.0
_PATIENCE_S: Final = 1.0
_UNWRITABLE: Final = "spool_unwritable"
_SHIPMENT_ITEMS: Final = 256
_SHIPMENT_BYTES: Final = 1024 * 1024


class Outbox:
    """Keeps batches in a file until the server has them; one that is down holds up no other.

    The worker keeps them, a thread of the outbox's own sends them, as that blocks.
    """

    def __init__(
        self,
        channel: Channel,
        spool: Spool,
        delivery: Delivery,
        ledger: Ledger,
        account: Account,
        *,
        told: Callable[[str], None] | None,
        progress: Callable[[], None],
    ) -> None:
        self.account = account
        self.lag = Lag(ledger, account)
        self.adopted = Adopted()
        """What became of the spans that other processes left behind."""
        self.last_rejection: str | None = None
        """Why the server refused a span for good the last time."""
        self.retry_at = 0.0  # the sender looks after that itself
        self._channel = channel
        self._spool = spool
        self._delivery = delivery
        self._ledger = ledger
        self._told = told
        self._progress = progress
        self._adopt_at = 0.0
        """When to look, on the monotonic clock, for what others left behind."""
        self._tried = 0
        """The number after the last record that it has tried to keep."""
        self._batches: deque[Batch] = deque()
        self._lock = threading.RLock()  # a signal handler may come in between
        self._parcels: deque[Parcel] = deque()
        self._memory = 0
        """The bytes of the parcels that are in memory, too."""
        self._waiting = 0
        """The bytes of those that are in the spool, on their way included."""
        self._expires_at = 0.0
        """Before then, on the monotonic clock, none of them is too old."""
        self._sender = self._make_sender()

    def _make_sender(self) -> Sender:
        return Sender(
            self._channel,
            take=self._take,
            put_back=self._put_back,
            delivered=self._delivered,
            rejected=self._rejected,
            told=self._told,
            progress=self._progress,
        )

    # On the worker

    def offer(self, batch: Batch) -> None:
        """Take a batch in."""
        self._batches.append(batch)
        self.lag.expect(batch)

    def push(self, pause: Callable[[], None], *, now: bool) -> None:
        """Keep what is here, and have it sent; `now` does not wait for the next attempt."""
        if time.monotonic() >= self._adopt_at or self.may_adopt:
            self._adopt_at = time.monotonic() + _ADOPT_S
            self._adopt(pause)
        if self._unkept:
            self._keep_now()
        while self._batches:
            self._keep(self._batches[0], pause)
            self._batches.popleft()  # not before: what fails, for want of memory, is tried again
        with self._lock:
            waiting = bool(self._parcels)
        if waiting or now:
            self._sender.wake(now=now)

    def start(self) -> None:
        """Be ready to send, before there is something."""
        self._sender.start()

    @property
    def may_adopt(self) -> bool:
        """Whether other processes seem to have left more than was taken over, and there is room."""
        return self._spool.has_more

    def _adopt(self, pause: Callable[[], None]) -> None:
        for place, count, written in self._spool.adopt():
            born = time.monotonic() - max(time.time() - written, 0.0)
            with self._lock:
                self.adopted.taken += count
                self._parcels.append(Parcel(None, place, count, place.length, born))
                self._waiting += place.length
                self._expires_at = 0.0
            self._drop_oldest()
            pause()

    def _keep(self, batch: Batch, pause: Callable[[], None]) -> None:
        lines: list[bytes] = []
        for record in batch.records:
            lines += (record.line(), b"\n")
            pause()
        data = b"".join(lines)
        place = self._append(data)
        parcel = Parcel(batch, place, len(batch.records), len(data), time.monotonic())
        if place is not None:
            if self._memory + parcel.bytes > _MEMORY_BYTES:
                parcel.records = None
            self._kept(parcel, batch)
        with self._lock:
            self._tried = batch.stop
            if place is not None:
                self._waiting += parcel.bytes
            if parcel.records is not None:
                self._memory += parcel.bytes
            if not self._joined(parcel):
                self._parcels.append(parcel)
        self._drop_oldest()

    def _kept(self, parcel: Parcel, batch: Batch) -> None:
        """The parcel no longer needs its batch: others may still do."""
        self._ledger.kept(batch, self.account)
        parcel.batch = None

    def _joined(self, parcel: Parcel) -> bool:
        """Make it a part of the one before, where both are in the spool alone.

        A server may be down for days, and a parcel takes as much memory as the spans of a moment.
        """
        last = self._parcels[-1] if self._parcels else None
        if last is None or last.place is None or parcel.place is None or not last.takes(parcel):
            return False
        place = self._spool.joined(last.place, parcel.place)
        if place is not None:
            last.extend(parcel, place)
        return place is not None

    def _append(self, data: bytes) -> Place | None:
        try:
            return self._spool.append(data)
        except OSError as error:
            guard.warn(
                f"spool:{self._spool.folder}",
                f"{self._spool.folder} cannot be written ({error}): what {self._channel.url} has "
                "not taken waits in memory only, and is lost with the process",
                self._told,
            )
            return None

    def _keep_now(self) -> None:
        """Write what could not be written before, as far as nothing of it has been sent."""
        with self._lock:
            waiting = [one for one in self._parcels if one.place is None and one.is_whole]
        for parcel in waiting:
            data = b"".join([record.line() + b"\n" for record in parcel.records or ()])
            with self._lock:
                if parcel not in self._parcels or parcel.batch is None:
                    continue  # it is being sent
                place = self._append(data)
                if place is None:
                    return
                parcel.place = place
                self._waiting += parcel.bytes
                # Before the sender may take it: what arrives must have been spooled.
                self._kept(parcel, parcel.batch)

    def _drop_oldest(self) -> None:
        """Keep the spool within its bounds."""
        now, longest = time.monotonic(), self._delivery.spool_max_age_s
        while True:
            with self._lock:
                full = self._waiting + self._spool.beyond > self._delivery.spool_max_bytes
                if not full and now < self._expires_at:
                    return  # there may be thousands, which are not to be looked at each time
                kept = [one for one in self._parcels if one.place is not None]
                oldest = min(kept, key=lambda parcel: parcel.born, default=None)
                self._expires_at = (now if oldest is None else oldest.born) + longest
                if oldest is None or (not full and now <= self._expires_at):
                    return
                self._parcels.remove(oldest)
                self._forget_memory(oldest)
            reason = "spool_full" if full else "spool_expired"
            guard.warn(
                f"{reason}:{self._spool.folder}",
                f"spans for {self._channel.url} are dropped, the oldest first: they waited longer "
                "or are more than Delivery(spool_max_age_s=, spool_max_bytes=) lets wait",
                self._told,
            )
            self._drop(oldest, list(oldest.left), reason)

    def drop(self) -> None:
        """Give up what is in memory only; what is spooled stays for the next process."""
        while self._batches:
            batch = self._batches.popleft()
            parcel = Parcel(batch, None, len(batch.records), 0, 0.0)
            self._drop(parcel, list(parcel.left), _UNWRITABLE)
        with self._lock:
            unspooled = [parcel for parcel in self._parcels if parcel.place is None]
            for parcel in unspooled:
                self._parcels.remove(parcel)
        for parcel in unspooled:
            self._drop(parcel, list(parcel.left), _UNWRITABLE)

    def forgive(self) -> None:
        """Have a server tried again that denied access."""
        self._sender.forgive()

    def hopeless(self, target: int, patience: float | None) -> bool:
        """Whether waiting for the first `target` spans makes no sense."""
        if self._ledger.is_finished(self.account, target):
            return True
        return self._tried >= target and self._sender.gives_up(patience)

    @property
    def _unkept(self) -> bool:
        """Whether something is in memory only, as the spool could not be written."""
        return not self._ledger.is_kept(self.account, self._tried)

    def hopeless_for(self, seconds: float) -> bool:
        """Whether the server takes nothing, or has not answered for longer than that."""
        return self._sender.gives_up(seconds)

    @property
    def denied(self) -> bool:
        """Whether the server takes nothing until somebody changes something."""
        return self._sender.denied

    @property
    def trouble(self) -> str | None:
        """Why the server takes nothing now; ``None`` while all is well."""
        return self._sender.trouble

    @property
    def rests(self) -> bool:
        """Whether all is in the spool, and the server takes nothing: the next tracer sends it."""
        return not self._unkept and self._sender.gives_up(_PATIENCE_S)

    def close(self) -> None:
        """Stop sending and let go of everything."""
        self._sender.stop()
        self._spool.close()
        self._channel.close()

    def forget(self) -> None:
        """Leave to the parent, in the child after a fork, what is the parent's."""
        self._lock = threading.RLock()
        self._batches.clear()
        self._parcels.clear()
        self._memory = self._waiting = self._tried = 0
        self._expires_at = 0.0
        self._adopt_at = 0.0
        self.adopted = Adopted()
        self.lag.forget()
        self._sender = self._make_sender()
        self._spool.abandon()
        self._channel.abandon()

    # On the sender's thread

    def _take(self) -> list[Item]:
        """The oldest parcels that fit into one request."""
        taken: list[Parcel] = []
        with self._lock:
            count = size = 0
            while self._parcels:
                parcel = self._parcels[0]
                count, size = count + len(parcel.left), size + parcel.bytes
                if taken and (count > _SHIPMENT_ITEMS or size > _SHIPMENT_BYTES):
                    break
                taken.append(self._parcels.popleft())
                self._forget_memory(parcel)
        items: list[Item] = []
        try:
            for parcel in taken:
                here = parcel.items()
                items += here
                if len(here) < len(parcel.left):
                    found = {item.number for item in here}
                    lost = [part for part in _each(parcel.left) if part[0] not in found]
                    self._drop(parcel, lost, "spool_unreadable")
        except Exception:  # no memory, say
            self._return([parcel for parcel in taken if parcel.left])
            raise
        return items

    def _forget_memory(self, parcel: Parcel) -> None:
        if parcel.records is not None:
            self._memory -= parcel.bytes

    def _put_back(self, items: Iterable[Item]) -> None:
        """What could not be sent goes in front again, in its old order."""
        self._return(sorted({item.parcel for item in items}, key=lambda parcel: parcel.order))

    def _return(self, parcels: Sequence[Parcel]) -> None:
        with self._lock:
            for parcel in reversed(parcels):
                if parcel.records is not None:
                    self._memory += parcel.bytes
                self._parcels.appendleft(parcel)

    def _delivered(self, items: Iterable[Item]) -> None:
        own = (item.record for item in items if item.parcel.first is not None)
        self.lag.arrived(own, time.thread_time())
        for parcel, numbers in _by_parcel(items):
            if parcel.first is not None:
                self._ledger.delivered(self.account, numbers)
            self._settle(parcel, numbers)
        self.adopted.delivered += sum(
            1 for item in items if item.parcel.first is None and isinstance(item.record, SpanRecord)
        )

    def _rejected(self, item: Item, reason: str) -> None:
        self.last_rejection = reason
        where = "lost: its folder cannot be written"
        with contextlib.suppress(OSError):
            where = f"in {self._spool.reject([item.record.line()], reason)}"
        guard.warn(
            f"rejected:{self._channel.url}",
            f"{self._channel.url} refuses a span for good ({reason}); it is {where}",
            self._told,
        )
        self._drop(item.parcel, [(item.number, item.number + 1)], "rejected")

    def _drop(self, parcel: Parcel, numbers: Numbers, reason: str) -> None:
        if parcel.first is None:
            self.adopted.dropped[reason] += sum(stop - start for start, stop in numbers)
        else:
            self._ledger.dropped(self.account, numbers, reason)
        self._settle(parcel, numbers)

    def _settle(self, parcel: Parcel, numbers: Numbers) -> None:
        before = len(parcel.left)
        for part in numbers:
            parcel.left.remove(*part)
        if parcel.first is None:
            self.adopted.done += before - len(parcel.left)
        if parcel.left:
            return
        if parcel.place is not None:
            self._spool.done(parcel.place)
            with self._lock:
                self._waiting -= parcel.bytes
        if parcel.batch is not None:
            self._kept(parcel, parcel.batch)


def _by_parcel(items: Iterable[Item]) -> Iterable[tuple[Parcel, Numbers]]:
    sorted_out: dict[Parcel, Ranges] = {}
    for item in items:
        sorted_out.setdefault(item.parcel, Ranges()).add(item.number, item.number + 1)
    return [(parcel, list(numbers)) for parcel, numbers in sorted_out.items()]


def _each(numbers: Ranges) -> Numbers:
    return [(number, number + 1) for part in numbers for number in range(*part)]
