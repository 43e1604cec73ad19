"""The tracer: owner of a queue and its destinations."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from ollamatrace import guard
from ollamatrace.destinations import Backend, Paged, Query, open_destination
from ollamatrace.errors import ClosedError, ConfigError
from ollamatrace.ids import parse_trace_id
from ollamatrace.pipeline import Channel, FlushReport, Pipeline, Redact, Sink, Stats
from ollamatrace.records import Trace, Traces, utf8
from ollamatrace.settings import Capture, Delivery, Environment, Sampling
from ollamatrace.spans import Owner, SilentSpan, Span
from ollamatrace.tracer import cells
from ollamatrace.tracer.decorator import decorated
from ollamatrace.tracer.lookup import registry
from ollamatrace.tracer.suppression import Suppression, suppression_var

_READ_FLUSH_S: Final = 1.0
_EARLIEST_NS: Final = 10**15
_NS_PER_S: Final = 1_000_000_000

F = TypeVar("F")
Server = str | Sequence[str] | None


class Tracer:
    """Takes spans from any thread and brings them to one or several destinations.

    Usually nobody makes one: `TracedClient` finds or makes it. Make one to choose settings, to
    have several, or to close it yourself (``with Tracer(…) as tracer``). A tracer that is no
    longer used, or still open when the interpreter exits, delivers what it has.

    Args:
        server: Where traces go: ``None`` for what the environment says, else the embedded store;
            ``"http://…"`` or ``"https://…"`` of an MLflow server, ``"sqlite:///path"``,
            ``"console:"``, or a list of these.
        experiment: The experiment that they are filed under; the environment's, else ``Default``.
        capture: What is recorded.
        delivery: How much may wait, and for how long.
        sampling: Which traces are recorded.
        on_warning: Called with each warning that is logged about this tracer.

    Raises:
        ConfigError: `server` names no destination, or a file that is not an embedded store.
    """

    def __init__(
        self,
        server: Server = None,
        *,
        experiment: str | None = None,
        capture: Capture = Capture(),  # noqa: B008  frozen
        delivery: Delivery = Delivery(),  # noqa: B008
        sampling: Sampling = Sampling(),  # noqa: B008
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        environment = Environment.read()
        if server is None and environment.warning:
            guard.warn("environment", environment.warning, on_warning)
        self.capture = capture
        self.on_warning = on_warning
        self.enabled = not environment.disabled
        """Whether spans are recorded; off by ``OLLAMATRACE_DISABLED=1`` or `disable`."""
        self._destinations = self._open(
            environment.server if server is None else server,
            environment.experiment if experiment is None else utf8(experiment),
            environment.experiment_id,
            delivery,
            on_warning,
        )
        self.pipeline = Pipeline(
            self._destinations,
            delivery,
            sampling=sampling,
            redact=self._redaction(on_warning),
            on_warning=on_warning,
        )
        self.pipeline.off = environment.disabled
        self._closed = False
        self._mark = object()
        self.reference: weakref.ref[Owner] = weakref.ref(self)
        """For whoever is not to keep it alive."""
        self._finalizer = weakref.finalize(self, self.pipeline.retire)
        self._finalizer.atexit = False  # the worker has its own, with a deadline
        registry.add(self)
        cells.follow()

    def _open(
        self,
        server: Server,
        experiment: str | None,
        experiment_id: str | None,
        delivery: Delivery,
        told: Callable[[str], None] | None,
    ) -> Sequence[Sink | Channel]:
        servers: list[Any] = list(server) if isinstance(server, list | tuple) else [server]
        if not servers:
            raise ConfigError("server=[] names no destination; leave it out for the embedded store")
        made = [
            open_destination(
                one,
                experiment=experiment,
                experiment_id=experiment_id,
                delivery=delivery,
                told=told,
            )
            for one in servers
        ]
        return list({one.url: one for one in made}.values())

    def _redaction(self, told: Callable[[str], None] | None) -> Redact | None:
        if self.capture.content and not self.capture.redact:
            return None
        from ollamatrace.privacy import Redaction  # only who asks for it pays for the import

        return Redaction(self.capture, told).apply

    def __repr__(self) -> str:
        urls = ", ".join(one.url for one in self._destinations)
        return f"<{type(self).__name__} {urls}{' closed' if self._closed else ''}>"

    def span(self, name: str, kind: str = "UNKNOWN", parent: Span | None = None) -> Span:
        """Make a span of your own; it begins when its ``with`` block is entered.

        Args:
            name: What is done.
            kind: What sort of thing that is: ``AGENT``, ``TOOL``, ``CHAIN``, ``RETRIEVER`` ….
            parent: The span above, where it cannot be found by context (another thread).
        """
        if not self.is_recording:
            return SilentSpan(name, kind)
        if type(name) is not str or type(kind) is not str:
            name, kind = utf8(name), utf8(kind)
        return Span(self, name, kind, parent)

    @overload
    def trace(self, function: F, /) -> F: ...
    @overload
    def trace(self, /, *, name: str | None = None, kind: str = "UNKNOWN") -> Callable[[F], F]: ...
    def trace(
        self, function: Any = None, /, *, name: str | None = None, kind: str = "UNKNOWN"
    ) -> Any:
        """Make each call of a function a span of this tracer; see `ollamatrace.trace`."""
        return decorated(function, lambda: self, name, kind)

    def page(self, trace_id: str) -> str | None:
        """The address of the page on which a trace can be looked at, if a destination has one."""
        pages = (one.page(trace_id) for one in self._destinations if isinstance(one, Paged))
        return next((page for page in pages if page), None)

    def enable(self) -> None:
        """Record again."""
        self.enabled = True
        self.pipeline.off = False

    def disable(self) -> None:
        """Record nothing from now on; what has ended is still delivered."""
        self.enabled = False
        self.pipeline.off = True

    def suppressed(self) -> Suppression:
        """Record nothing of what begins in this block, nor in tasks made there.

        Other tasks and threads are not concerned. What began before is recorded when it ends.

        Example:
            >>> with tracer.suppressed():
            ...     client.chat(...)
        """
        return Suppression(self._mark)

    @property
    def is_recording(self) -> bool:
        """Whether what begins here and now is recorded."""
        if not self.enabled:
            return False
        block = suppression_var.get()
        return block is None or not block.covers(self._mark)

    def stats(self) -> Stats:
        """The account of all spans, and what it takes to deliver them, without waiting for any."""
        return self.pipeline.stats()

    def flush(self, timeout: float = 5) -> FlushReport:
        """Wait until all spans that have ended are delivered or lost, `timeout` seconds at most."""
        return self.pipeline.flush(timeout)

    async def aflush(self, timeout: float = 5) -> FlushReport:  # noqa: ASYNC109  as in flush
        """Do what `flush` does without blocking the event loop."""
        from anyio import to_thread

        return await to_thread.run_sync(self.flush, timeout, abandon_on_cancel=True)

    def close(self, timeout: float = 5) -> FlushReport:
        """Take no more spans, `flush`, and release the destinations.

        Calls of its clients go on, untraced. What has not arrived within `timeout` seconds still
        goes out in the background; what a server that is down has not taken by then waits in its
        file, for the next tracer of the same server and experiment.
        """
        self._closed = True
        registry.remove(self)
        self.pipeline.close()
        report = self.flush(timeout)
        self._finalizer.detach()
        self.pipeline.release()
        return report

    async def aclose(self, timeout: float = 5) -> FlushReport:  # noqa: ASYNC109  as in close
        """Do what `close` does without blocking the event loop."""
        from anyio import to_thread

        return await to_thread.run_sync(self.close, timeout, abandon_on_cancel=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def search_traces(
        self,
        text: str | None = None,
        *,
        status: str | None = None,
        model: str | None = None,
        session: str | None = None,
        since: dt.datetime | float | None = None,
        until: dt.datetime | float | None = None,
        limit: int = 100,
    ) -> list[Trace]:
        """Find traces, newest first, in the first destination that can be asked.

        A trace is found if it has a span that meets all the conditions. What has ended here is
        waited for, one second at most.

        Args:
            text: In a name, inputs, outputs or error; upper and lower case are the same.
            status: ``OK``, ``ERROR`` or ``CANCELLED``.
            model: The model that answered.
            session: The session (conversation) id.
            since: The span started then or later: a datetime (without a zone: local time), an
                ``int`` in nanoseconds as `SpanRecord.start_ns`, a ``float`` as of `time.time`.
            until: The span started before then.
            limit: The most traces to give.

        Raises:
            ClosedError: the tracer is closed.
            ConfigError: no destination can be asked.
            StoreError: the store cannot be read.
            ServerError: the server cannot be asked.
            ValueError: a time or the limit makes no sense.
        """
        query = Query(text, status, model, session, _nanoseconds(since), _nanoseconds(until), limit)
        return Traces(await (await self._backend()).search(query))

    async def get_trace(self, trace_id: str) -> Trace | None:
        """Read one trace; `trace_id` has 32 hex digits and may carry ``tr-`` in front.

        ``None`` if there is none, or nothing of it has ended.

        Raises:
            ClosedError: the tracer is closed.
            ConfigError: no destination can be asked.
            StoreError: the store cannot be read.
            ServerError: the server cannot be asked.
            ValueError: that is no trace id.
        """
        known = parse_trace_id(trace_id)
        return await (await self._backend()).get(known)

    async def _backend(self) -> Backend:
        if self._closed:
            raise ClosedError("the tracer is closed; make another to read its traces")
        for one in self._destinations:
            if isinstance(one, Backend):
                await self.aflush(_READ_FLUSH_S)
                return one
        raise ConfigError(f"{self!r} keeps no traces to read; add an embedded store to its servers")


def _nanoseconds(moment: dt.datetime | float | None) -> int | None:
    if isinstance(moment, dt.datetime):
        return round(moment.timestamp() * 1_000_000) * 1000
    if isinstance(moment, int) and moment < _EARLIEST_NS:
        raise ValueError(
            f"{moment} as nanoseconds is in 1970; give time.time() or a datetime for seconds"
        )
    return round(moment * _NS_PER_S) if isinstance(moment, float) else moment
