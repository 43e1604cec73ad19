"""One destination's way out of the pipeline, with its own position."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from ollamatrace import guard
from ollamatrace.errors import OllamatraceError, StoreBusyError
from ollamatrace.pipeline.lag import Lag
from ollamatrace.pipeline.ledger import Account, Batch, Ledger
from ollamatrace.pipeline.sink import Sink

_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 5.0
_BUSY_S: Final = 10.0
"""How long other processes may write there before that is worth a word: `prune` takes its time."""
_UNWRITABLE: Final = "store_unwritable"


class Lane:
    """Keeps batches until the destination has them; one that is down holds up no other."""

    def __init__(
        self, sink: Sink, ledger: Ledger, account: Account, told: Callable[[str], None] | None
    ) -> None:
        self.account = account
        self.lag = Lag(ledger, account)
        self._sink = sink
        self._ledger = ledger
        self._told = told
        self._batches: deque[Batch] = deque()
        self._position = 0
        """How far it is in the first of them."""
        self._delay_s = _FIRST_RETRY_S
        self.retry_at = 0.0
        """When to try again, on the monotonic clock; 0 while all is well."""
        self._down_since = 0.0
        """Since when it has refused; 0 while all is well."""
        self._busy_since = 0.0
        """Since when other processes have been writing there; 0 while all is well."""

    def start(self) -> None:
        """The worker does all of its work."""

    @property
    def rests(self) -> bool:
        """It is tried again as long as there is something."""
        return False

    def forgive(self) -> None:
        """It is tried again by itself."""

    def hopeless(self, target: int, patience: float | None) -> bool:
        """Whether waiting for the first `target` spans makes no sense."""
        if self._ledger.is_finished(self.account, target):
            return True
        down = bool(self._down_since) and patience is not None
        return down and time.monotonic() - self._down_since > (patience or 0)

    def offer(self, batch: Batch) -> None:
        """Take a batch in."""
        self._batches.append(batch)
        self.lag.expect(batch)

    def push(self, pause: Callable[[], None], *, now: bool) -> None:
        """Write what is here, until the destination refuses; `now` does not wait for the retry."""
        while self._batches and (now or time.monotonic() >= self.retry_at):
            batch = self._batches[0]
            try:
                self._write(batch, pause)
            except StoreBusyError as error:
                if not self._waits_its_turn():
                    self._down(error)
                return
            except OllamatraceError as error:
                self._down(error)
                return
            self._batches.popleft()
            self._position = 0
            self._well()
            self._ledger.kept(batch, self.account)

    def _waits_its_turn(self) -> bool:
        """Whether it is too early to call a file down that others are writing; try again soon."""
        now = time.monotonic()
        self._busy_since = self._busy_since or now
        self.retry_at = now + _FIRST_RETRY_S
        return now - self._busy_since < _BUSY_S

    def _down(self, error: OllamatraceError) -> None:
        guard.warn(
            f"down:{self._sink.url}",
            f"{self._sink.url} takes no spans now; they wait in memory: {error}",
            self._told,
        )
        failed = time.monotonic()
        self._down_since = self._down_since or failed
        self.retry_at = failed + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LAST_RETRY_S)

    def _write(self, batch: Batch, pause: Callable[[], None]) -> None:
        try:
            self._sink.write(batch.records[self._position :], pause)
        except OllamatraceError:
            raise
        except Exception as error:  # noqa: BLE001  a poison span must not hold up the others
            guard.report(f"{type(self._sink).__name__}.write", error)
        else:
            self._deliver(batch, self._position, len(batch.records))
            return
        while self._position < len(batch.records):
            try:
                self._sink.write([batch.records[self._position]], pause)
            except OllamatraceError:
                raise  # it is down: the rest waits
            except Exception:  # noqa: BLE001  reported for the whole batch; here it is counted
                self._drop(batch, self._position, self._position + 1, "rejected")
            else:
                self._deliver(batch, self._position, self._position + 1)
            self._position += 1

    def drop(self) -> None:
        """Give up what is still here."""
        while self._batches:
            batch = self._batches.popleft()
            self._drop(batch, self._position, len(batch.records), _UNWRITABLE)
            self._position = 0
            self._ledger.kept(batch, self.account)

    def close(self) -> None:
        """Release what the destination has open."""
        self._sink.close()

    def forget(self) -> None:
        """Leave to the parent, in the child after a fork, what is the parent's."""
        self._batches.clear()
        self._position = 0
        self._well()
        self.lag.forget()
        self._sink.abandon()

    def _well(self) -> None:
        self.retry_at = self._down_since = self._busy_since = 0.0
        self._delay_s = _FIRST_RETRY_S

    def _deliver(self, batch: Batch, start: int, stop: int) -> None:
        self.lag.arrived(batch.records[start:stop])
        self._ledger.delivered(self.account, [(batch.first + start, batch.first + stop)])

    def _drop(self, batch: Batch, start: int, stop: int, reason: str) -> None:
        self._ledger.dropped(self.account, [(batch.first + start, batch.first + stop)], reason)
