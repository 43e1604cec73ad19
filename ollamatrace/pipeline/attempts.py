"""One request to a server, again and again while the server is not there."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ollamatrace import guard
from ollamatrace.pipeline.channel import Broken, Channel, Denied, Refused, Unavailable
from ollamatrace.pipeline.late import importing
from ollamatrace.pipeline.pause import Pause
from ollamatrace.records import Record

if TYPE_CHECKING:
    from tenacity import RetryCallState

_FIRST_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 10.0
_LONGEST_RETRY_AFTER_S: Final = 300.0


class Attempts:
    """Sends records, and waits where the server is down, until it is told to hurry or to stop.

    Args:
        channel: The way to the server.
        told: The tracer's `on_warning`.
        progress: Called when an attempt has failed.
    """

    def __init__(
        self, channel: Channel, told: Callable[[str], None] | None, progress: Callable[[], None]
    ) -> None:
        self.stopped = False
        self.trouble: str | None = None
        """Why nothing could be sent the last time; ``None`` while all is well."""
        self._channel = channel
        self._told = told
        self._progress = progress
        self._pause = Pause()
        self._prepared = False
        self._now = threading.Event()
        self._down_since = 0.0
        """Since when the server has not answered, on the monotonic clock; 0 while all is well."""

    def hurry(self) -> None:
        """Make the next attempt now."""
        self._now.set()

    def stop(self) -> None:
        """Make none after the one that is under way."""
        self.stopped = True
        self._now.set()

    def is_down_for(self, seconds: float) -> bool:
        """Whether the server has not answered for longer than that."""
        return bool(self._down_since) and time.monotonic() - self._down_since > seconds

    def send(self, records: Sequence[Record], *, probes: int = 1, failures: int = 1) -> None:
        """Send `records` in one request.

        Raises:
            Refused: the server does not want them, after `probes` attempts.
            Broken: it fails over them, after `failures` attempts.
            Denied: it takes nothing.
            Unavailable: it is not there, and sending has been stopped.
        """
        self._prepare()
        import tenacity

        attempts = 0

        def is_worth_another(error: BaseException) -> bool:
            nonlocal attempts
            attempts += isinstance(error, Refused | Broken)
            if isinstance(error, Refused):
                return attempts < probes
            if isinstance(error, Broken):
                return attempts < failures
            return isinstance(error, Unavailable)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_worth_another),
            wait=_wait,
            sleep=self._sleep,
            stop=lambda _: self.stopped,
            before_sleep=lambda state: self._failed(_error(state)),
            reraise=True,
        )
        retrying(self._send, records)
        self._down_since, self.trouble = 0.0, None

    def rest(self, error: Exception) -> None:
        """Leave the server alone for a while: it answers, but takes nothing."""
        self._failed(error)
        if not self.stopped:
            self._sleep(_LAST_RETRY_S)

    def _prepare(self) -> None:
        """Import what sending needs, once.

        Raises:
            Unavailable: that is not possible now.
        """
        if self._prepared:
            return
        try:
            with importing:
                importlib.import_module("tenacity")
                self._channel.prepare()
        except (ImportError, OSError, MemoryError) as error:
            raise Unavailable(f"nothing can be sent to {self._channel.url}: {error}") from error
        self._prepared = True

    def _send(self, records: Sequence[Record]) -> None:
        try:
            self._channel.send(records, self._pause)
        except (Denied, Refused, Unavailable):
            raise
        except (ImportError, OSError, MemoryError) as error:
            raise Unavailable(f"nothing can be sent to {self._channel.url}: {error}") from error
        except Exception as error:
            # A record that cannot be encoded must not hold up the others.
            guard.report(f"{type(self._channel).__name__}.send", error)
            raise Refused(f"{type(error).__name__}: {error}") from error

    def _failed(self, error: BaseException | None) -> None:
        self.trouble = str(error)
        if isinstance(error, Unavailable):
            self._down_since = self._down_since or time.monotonic()
            guard.warn(
                f"down:{self._channel.url}", f"{error}; spans wait and are sent again", self._told
            )
        self._progress()

    def _sleep(self, seconds: float) -> None:
        self._now.wait(seconds)
        self._now.clear()


def _wait(state: RetryCallState) -> float:
    """Exponential with jitter, but at least what the server asked for."""
    import tenacity

    backoff = tenacity.wait_exponential(_FIRST_RETRY_S, _LAST_RETRY_S)
    jitter = tenacity.wait_random(0, _FIRST_RETRY_S)
    error = _error(state)
    asked = error.after_s if isinstance(error, Unavailable) else None
    return max(backoff(state) + jitter(state), min(asked or 0.0, _LONGEST_RETRY_AFTER_S))


def _error(state: RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()
