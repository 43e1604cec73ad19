"""The thread that tells a server, now and then, what the calls of models add up to."""

from __future__ import annotations

import contextlib
import gzip
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from ollamatrace import guard
from ollamatrace.destinations import http
from ollamatrace.destinations.exchange import Exchange
from ollamatrace.destinations.otlp.answers import failure
from ollamatrace.destinations.otlp.encoding import Encoding
from ollamatrace.destinations.otlp.meter import Meter, Metric
from ollamatrace.destinations.otlp.target import Target
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.pipeline.late import importing
from ollamatrace.records import SpanRecord

_EVERY_S: Final = 60.0
_LEVEL: Final = 5
_INSTANCE: Final = "service.instance.id"
_TAKES_NONE: Final = frozenset({404, 405, 415, 501})
"""What servers that are for spans alone answer to metrics."""


class TakesNone(Denied):
    """The server takes no metrics, as many do not."""


class Publisher:
    """Sends all that was measured so far, once a minute while that changes, and when asked.

    It has a thread, a connection and failures of its own: spans never wait for metrics. Nothing
    is kept for a server that is down, as the next report says it all again.

    Args:
        target: Where metrics go.
        is_own: They go where the environment says for metrics alone.
        resource: What is said of the program.
        encoding: How bodies are made.
    """

    def __init__(
        self, target: Target, resource: Mapping[str, str], encoding: Encoding, *, is_own: bool
    ) -> None:
        self.url = target.address.url
        """The address without credentials."""
        self._target = target
        self._given = resource
        self._encoding = encoding
        self._is_own = is_own
        self._exchange = Exchange(
            target.address,
            target.headers,
            target.trust,
            target.timeout_s,
            partial(_failure, message=encoding.message, is_withheld=target.is_withheld),
        )
        self._fields = {"content-type": encoding.content_type}
        if target.is_gzip:
            self._fields["content-encoding"] = "gzip"
        self._begin()

    def _begin(self) -> None:
        """Have measured nothing yet."""
        self._meter = Meter()
        # Without it, the totals of two programs would look like one that goes up and down.
        self._resource = {_INSTANCE: str(uuid.uuid4()), **self._given}
        self._state = threading.Condition()
        self._thread: threading.Thread | None = None
        self._changed = self._asked = self._busy = self._closed = False
        self._failures = 0
        """How many reports in a row have not arrived."""

    # On any thread

    def start(self) -> None:
        """Start its thread, if it has none: at the end of the interpreter none can start."""
        with self._state:
            if self._thread is not None or self._closed:
                return
            thread = threading.Thread(target=self._run, name="ollamatrace-metrics", daemon=True)
            with contextlib.suppress(RuntimeError):  # no more threads: so there are no metrics
                thread.start()
                self._thread = thread

    def measure(self, record: SpanRecord) -> None:
        """Count a span, if it is a call of a model."""
        if not self._closed and self._meter.measure(record) and not self._changed:
            with self._state:
                self._changed = True
                self._state.notify_all()

    def publish(self, timeout: float, *, is_patient: bool) -> None:
        """Send what was measured, and wait until the server has it or has failed to take it.

        Args:
            timeout: The longest wait in seconds.
            is_patient: Wait for a server that was down the last time, too.
        """
        if self._thread in (None, threading.current_thread()):
            return
        with self._state:
            self._asked = self._changed
            self._state.notify_all()
            failures = self._failures
            if timeout > 0 and (is_patient or not failures):
                self._state.wait_for(
                    lambda: self._failures > failures or not (self._changed or self._busy), timeout
                )

    def ask(self, metrics: list[Metric]) -> None:
        """Send metrics, or none, to see whether the server takes them.

        Raises:
            Unavailable: not now.
            Refused: not these.
            Denied: none.
        """
        body = self._encoding.metrics(self._resource, metrics)
        if self._target.is_gzip:
            body = gzip.compress(body, _LEVEL, mtime=0)
        answer = self._exchange.ask("POST", "", body, self._fields)
        with contextlib.suppress(ValueError, TypeError):  # some answer with a word of their own
            rejected, message = self._encoding.partial(answer)
            if rejected or message:
                raise Refused(f"{self.url} rejects {rejected} metrics: {message or 'no reason'}")

    def close(self) -> None:
        """Measure nothing more; what was measured still goes out, and nobody waits for it."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        if self._thread is None:
            self._exchange.close()

    def abandon(self) -> None:
        """Leave to the parent, in the child after a fork, what is the parent's: start anew."""
        self._exchange.abandon()
        self._begin()

    # On its own thread

    def _run(self) -> None:
        while self._is_due():
            self._report()
        self._exchange.close()

    def _is_due(self) -> bool:
        """Wait for the next report; says whether there is to be one."""
        with self._state:
            self._state.wait_for(lambda: self._changed or self._closed)
            self._state.wait_for(lambda: self._asked or self._closed, _EVERY_S)
            self._asked = False
            self._busy, self._changed = self._changed, False
            return self._busy

    def _report(self) -> None:
        failed = True
        try:
            self._prepare()
            self.ask(self._meter.taken())
            failed = False
        except TakesNone as error:
            self._closed = True
            self._say(str(error), is_told=False)
        except Denied as error:
            self._closed = True
            text = f"{error}; it gets no metrics. OTEL_METRICS_EXPORTER=none turns them off"
            self._say(text, is_told=True)
        except (Unavailable, Refused) as error:
            # Of a server that is down, spans tell.
            is_told = self._is_own or isinstance(error, Refused)
            self._say(f"{error}; metrics are sent again", is_told=is_told)
        except Exception as error:  # noqa: BLE001  nothing may end the thread
            guard.report("Publisher", error)
        finally:
            with self._state:
                self._busy = False
                self._failures = self._failures + 1 if failed else 0
                # What is closed makes no second attempt.
                self._changed = (self._changed or failed) and not self._closed
                self._state.notify_all()

    def _prepare(self) -> None:
        try:
            with importing:
                self._exchange.prepare()
                self._encoding.prepare()
        except (ImportError, OSError, MemoryError) as error:
            raise Unavailable(f"nothing can be sent to {self.url}: {error}") from error

    def _say(self, text: str, *, is_told: bool) -> None:
        if is_told:
            guard.warn(f"metrics:{self.url}", text)
        else:
            guard.logger.debug("%s", text)


def _failure(
    response: http.Response,
    body: bytes,
    url: str,
    *,
    message: Callable[[bytes], str],
    is_withheld: bool,
) -> Unavailable | Refused | Denied:
    """The exception for an answer with an error status; see `failure`."""
    if response.status_code in _TAKES_NONE:
        return TakesNone(f"{url} answers {response.status_code}: it takes no metrics")
    return failure(response, body, url, message=message, is_withheld=is_withheld)
