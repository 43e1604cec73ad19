"""Requests that come in: a span for each, below the one that the caller names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from ollamatrace.guard import shielded
from ollamatrace.pipeline import flush_all
from ollamatrace.spans import Span
from ollamatrace.tracer import Tracer, extract, span

_SHUTDOWN_S: Final = 5.0

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TraceMiddleware:
    """ASGI middleware (Starlette, FastAPI, Quart …): one trace for each request.

    The span of a request lasts until its response has been sent and its background tasks are done;
    what they and the tasks and threads of the framework do is below it. An incoming ``traceparent``
    is gone on with. Headers, queries and bodies are not recorded. When the server shuts down, what
    all tracers have is delivered: some servers end by a signal then, which asks nobody.

    Args:
        app: The application.
        tracer: The tracer to use; without it, the one that fits, at each request.

    Example:
        >>> app = FastAPI()
        >>> app.add_middleware(TraceMiddleware)
    """

    def __init__(self, app: App, tracer: Tracer | None = None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what came in."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, _flushing(send))
            return
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        with extract(_headers(scope)), self._span(_name(scope)) as request:
            _describe(request, scope)

            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note_status(request, message)
                await send(message)

            await self._app(scope, receive, sent)

    def _span(self, name: str) -> Span:
        return span(name) if self._tracer is None else self._tracer.span(name)


def _flushing(send: Send) -> Send:
    """Deliver what there is before the server hears that the application is done."""

    async def sent(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            from anyio import to_thread

            await to_thread.run_sync(shielded(flush_all), _SHUTDOWN_S)
        await send(message)

    return sent


def _headers(scope: Scope) -> Iterable[tuple[bytes, bytes]]:
    return scope.get("headers") or ()


def _name(scope: Scope) -> str:
    return f"{scope.get('method', 'WEBSOCKET')} {scope.get('path', '')}"


@shielded
def _describe(request: Span, scope: Scope) -> None:
    """Say what is asked for, in OpenTelemetry's names."""
    if "method" in scope:
        request.set("http.request.method", scope["method"])
    request.set("url.path", scope.get("path"))
    request.inputs = {"method": scope.get("method"), "path": scope.get("path")}


@shielded
def _note_status(request: Span, message: Message) -> None:
    request.set("http.response.status_code", message["status"])
    request.outputs = {"status": message["status"]}
