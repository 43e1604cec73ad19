"""A tracer's way from ended spans to its destinations, and the account of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from ollamatrace import guard
from ollamatrace.pipeline.channel import Channel
from ollamatrace.pipeline.final import note
from ollamatrace.pipeline.green import warn_if_green
from ollamatrace.pipeline.lane import Lane
from ollamatrace.pipeline.ledger import Account, Ledger
from ollamatrace.pipeline.load import Load
from ollamatrace.pipeline.meters import Meters
from ollamatrace.pipeline.queue import SpanQueue
from ollamatrace.pipeline.report import FlushReport
from ollamatrace.pipeline.sampler import Sampler
from ollamatrace.pipeline.sink import Queued, Sink
from ollamatrace.pipeline.stats import Stats
from ollamatrace.pipeline.supply import BATCH_SPANS, LeftOut, Redact, Supply
from ollamatrace.pipeline.worker import worker
from ollamatrace.settings import Delivery, Sampling, default_spool

if TYPE_CHECKING:
    from ollamatrace.pipeline.outbox import Outbox

_BATCHES_A_TURN: Final = 4
_GIVE_UP_S: Final = 1.0
_LONGEST_S: Final = 365 * 24 * 3600.0
"""As good as for ever; the system's own limit is not much further off."""


class OpenSpan(Protocol):
    """What the pipeline knows of a span that has not ended: it can be given up at exit."""

    def abandon(self) -> None:
        """End it as abandoned."""
        ...


class Pipeline:
    """Queue, worker's share and destinations of one tracer.

    Any thread may `put` and `flush`. Everything else is done by the worker, or, where no thread
    can be had (at the end of the interpreter), by the thread that puts.

    Args:
        destinations: Where records go.
        delivery: How much may wait, and for how long.
        sampling: Which traces are recorded.
        redact: What every record passes before anything else gets it, if there is such a stage.
        on_warning: Called with each warning about it.
    """

    def __init__(
        self,
        destinations: Sequence[Sink | Channel],
        delivery: Delivery,
        *,
        sampling: Sampling,
        redact: Redact | None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self.delay_s = delivery.delay_s
        self.open: dict[int, OpenSpan] = {}
        """Spans that have not ended, by span id; whoever takes one out here ends it."""
        self.sampler = Sampler(sampling, delivery, on_warning)
        self._queue = SpanQueue(delivery)
        self._load = Load(self._queue)
        self._told = on_warning
        self._pump_lock = threading.Lock()
        self._arrived = threading.Condition()
        self._since_pump = 0
        self._called = False
        """The worker is woken for a full batch and has not begun yet."""
        self._fresh = True
        """Nothing has been put yet."""
        self._begun = False
        """It has been pumped: its lanes know what earlier processes left for them."""
        self._hurried = 0
        """How often all that is here was tried at once."""
        self.behind = False
        """The last pump left something: the next is due at once."""
        self._ledger = Ledger([one.url for one in destinations], self._load.release)
        self._meters = Meters(destinations)
        self._supply = Supply(self._queue, self._ledger, self.sampler, redact, self._meters)
        self._lanes = [
            self._lane(one, account, delivery)
            for one, account in zip(destinations, self._ledger.accounts, strict=True)
        ]
        self.off = False
        """Its tracer is switched off: no thread is started for nothing."""
        self._noted = False
        """What became of its spans is in the file of accounts."""
        self.retired = False
        """No tracer holds it any more: the worker lets it go when it is empty."""
        warn_if_green(on_warning)
        worker.add(self)

    def _lane(
        self, destination: Sink | Channel, account: Account, delivery: Delivery
    ) -> Lane | Outbox:
        if not isinstance(destination, Channel):
            return Lane(destination, self._ledger, account, self._told)
        # Only programs with a server pay for the import.
        from ollamatrace.pipeline.outbox import Outbox
        from ollamatrace.spool import Spool

        spool = Spool(default_spool(), destination.url, destination.experiment)
        return Outbox(
            destination,
            spool,
            delivery,
            self._ledger,
            account,
            told=self._told,
            progress=self._sent,
        )

    # On any thread

    def holds(self, item: Queued) -> bool:
        """Whether it is in the queue. Looks at all that is there."""
        return any(queued is item for queued, *_ in tuple(self._queue.items))

    @property
    def closed(self) -> bool:
        """Whether nothing is let in any more."""
        return self._queue.closed

    def put(self, item: Queued, size: int, spans: int = 1, *, is_part: bool = False) -> bool:
        """Queue what has ended; says whether there was room. Never blocks, never raises.

        Args:
            item: A span, an update, or a part of a stream that goes on.
            size: The room that it takes, in bytes.
            spans: 1 for a span, else 0.
            is_part: It has no record of its own: nobody waits for it.
        """
        reason = self._queue.put(item, size, spans, is_part)
        if self._fresh:
            self._fresh = False
            for lane in self._lanes:
                lane.start()
            self._meters.start()
        self._since_pump += 1
        if (self._since_pump >= BATCH_SPANS or self._queue.crowded) and not self._called:
            self._called = True
            worker.wake(self, "full")
        elif worker.idle:
            worker.wake(self, "begun")
        if reason is None:
            return True
        if spans:
            self._refused(reason)
        return False

    def leave_out(self, span: Queued, trace: int, size: int) -> None:
        """Count a span that has ended and is not recorded, nor anything else of its trace."""
        self.sampler.leave_out(trace)
        self._queue.leave_out(1)
        if self._meters:  # where there is no room, it is not measured
            self.put(LeftOut(span), size, 0)

    def flush(self, timeout: float, patience: float | None = None) -> FlushReport:
        """Wait until all that was queued before this call has arrived or is lost.

        Not for what is held until its trace has ended.

        Args:
            timeout: The longest wait in seconds.
            patience: How long in seconds a destination may have been down to be waited for;
                ``None``: as long as the timeout lasts.
        """
        if self._fresh and self.off:
            return self.report()
        deadline = time.monotonic() + timeout
        target = self._queue.queued
        if patience is None:
            for lane in self._lanes:
                lane.forgive()
        hurried = self._hurried
        goal: int | None = None

        def settled() -> bool:
            nonlocal goal
            due = self.sampler.is_due
            if goal is None and self._supply.taken >= target and not due:
                goal = self._supply.outgoing  # what goes out later is not waited for
            return goal is not None and self._ledger.is_done(goal)

        done = self._begun and settled()
        if not done and not worker.is_me() and worker.wake(self, "flush"):
            with self._arrived:
                self._arrived.wait_for(
                    # What was down a while ago is tried once more before it is given up.
                    lambda: (
                        self._begun
                        and (
                            settled()
                            or (self._hurried > hurried and self._hopeless(target, patience))
                        )
                    ),
                    min(timeout, _LONGEST_S) if timeout > 0 else 0,  # nor for what is no number
                )
        if not worker.is_me():
            left = min(deadline - time.monotonic(), _LONGEST_S)
            self._meters.publish(left, is_patient=patience is None)
        return self.report()

    def close(self) -> None:
        """Take no more spans. What is here still goes out."""
        self._queue.close()
        self.finish_traces()

    def finish_traces(self) -> None:
        """Hold nothing back any more: traces that have not ended are decided by what is there."""
        self.sampler.final = True

    def retire(self) -> None:
        """Have the worker let go of the destinations when nothing is on its way any more.

        Unlike `release` it does not wait for a file to be closed: this is for a collected tracer,
        which may be collected anywhere.
        """
        self.close()
        self.retired = True
        if not worker.look_again():
            worker.remove(self)  # without a worker nothing is on its way

    def release(self) -> None:
        """Let go of the destinations, now or, if something is still on its way, when it is not."""
        self.close()
        self.retired = True
        if self.quiet and self._pump_lock.acquire(blocking=False):
            try:
                worker.remove(self)
                self._give_up()
            finally:
                self._pump_lock.release()

    @property
    def outboxes(self) -> Sequence[Outbox]:
        """Its ways to servers."""
        return [lane for lane in self._lanes if not isinstance(lane, Lane)]

    def report(self) -> FlushReport:
        """The account as it stands."""
        return self._ledger.report(self._queue.intake)

    def stats(self) -> Stats:
        """The account, and what it takes to bring the spans away."""
        arrivals = {lane.account.url: lane.lag.arrivals() for lane in self._lanes}
        return self._load.stats(self.report(), arrivals)

    # On the worker

    @property
    def waiting(self) -> bool:
        """Whether something is to be brought on its way."""
        return self._supply.waits

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way: all has arrived, is lost, or waits in a file."""
        out = self._supply.outgoing
        all_taken = self._supply.taken >= self._queue.queued and not self.waiting
        return all_taken and all(
            self._ledger.is_finished(lane.account, out)
            or (self._ledger.is_kept(lane.account, out) and lane.rests)
            for lane in self._lanes
        )

    @property
    def retry_at(self) -> float:
        """When a destination that is down wants to be tried again; 0 if none is down."""
        return min((lane.retry_at for lane in self._lanes if lane.retry_at), default=0.0)

    def pump(self, pause: Callable[[], None], *, now: bool = False) -> bool:
        """Bring some batches on their way; says whether there was anything to do.

        Not everything: where spans end faster than they can be stored it would never come back,
        and other tracers would wait for ever.
        """
        since = time.thread_time()
        if not self._pump_lock.acquire(blocking=False):
            self._hurried += now
            return True  # another thread is at it
        try:
            self._since_pump = 0
            self._called = False
            busy = self.behind = False
            for turn in range(_BATCHES_A_TURN):
                self._load.look()
                batch = self._supply.batch(pause)
                if batch is None:
                    self.behind = self.waiting  # what it has seen so far is held back
                    break
                busy = True
                self._load.made(batch)
                self.behind = turn == _BATCHES_A_TURN - 1 and self.waiting
                for lane in self._lanes:
                    lane.offer(batch)
                for lane in self._lanes:
                    lane.push(pause, now=False)
                since = self._load.worked(since)
                self._tell()
            for lane in self._lanes:
                lane.push(pause, now=now)
            self._begun = True
        finally:
            self._load.worked(since)
            self._hurried += now
            self._pump_lock.release()
        self._tell()
        return busy

    def _sent(self) -> None:
        """A sender has made progress, or has found that it cannot."""
        self._tell()
        if self.retired or any(outbox.may_adopt for outbox in self.outboxes):
            worker.look_again()

    def _tell(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    def give_up(self) -> None:
        """Count as lost what no destination took, and release the destinations."""
        if self._pump_lock.acquire(timeout=_GIVE_UP_S):  # else the worker is stuck in a write
            try:
                self._give_up()
            finally:
                self._pump_lock.release()

    def _give_up(self) -> None:
        for lane in self._lanes:
            lane.drop()
            guard.shielded(lane.close)()
        if not self._noted:
            self._noted = True
            # For others to read: who asks comes when this process has ended.
            guard.shielded(lambda: note(self._lanes, self.stats()))()

    def forget(self) -> None:
        """Start anew in the child after a fork; the parent's spans are the parent's."""
        self._pump_lock = threading.Lock()
        self._arrived = threading.Condition()
        self._queue.forget()
        self._load.forget()
        self._ledger.forget()
        self.sampler.forget()
        self._supply.forget()
        self._since_pump = 0
        self._fresh = True
        self._noted = False
        self._begun = self._called = self.behind = False
        self.open.clear()
        for lane in self._lanes:
            lane.forget()

    def _hopeless(self, target: int, patience: float | None) -> bool:
        out = self._supply.outgoing
        return (
            self._supply.taken >= target
            and not self.waiting
            and all(lane.hopeless(out, patience) for lane in self._lanes)
        )

    def _refused(self, reason: str) -> None:
        text = {
            "closed": "the tracer is closed; calls go on untraced",
            "queue_full": "more spans than Delivery(max_spans=, max_bytes=) lets wait; new ones "
            "are dropped and counted",
        }[reason]
        guard.warn(f"{reason}:{id(self)}", text, self._told)
