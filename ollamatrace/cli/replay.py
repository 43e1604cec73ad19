"""A local server that plays recorded exchanges back, piece by piece."""

from __future__ import annotations

import contextlib
import http.client
import math
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from ollamatrace.cli.exchange import Exchange, Piece, comparable

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Mapping
    from types import TracebackType

_CLOSE_S: Final = 0.9
_LINE_BYTES: Final = 65536


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it came in; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a JSON value."""
        return orjson.loads(self.body)


class ReplayServer:
    """Answer requests on a free loopback port as a recorded server did.

    ::

        with ReplayServer(capture["exchanges"], pace=0) as server:
            client = ollama.Client(host=server.url)

    A request gets the first unused exchange of its method, path and JSON body; else a used one
    again; else the first unused one of its method and path, whatever the body; else a 404.

    Args:
        exchanges: The ``exchanges`` of a capture. One without a ``response`` hangs for ever.
        pace: 1 keeps the recorded timing, 2 takes twice as long, 0 does not wait at all.
    """

    def __init__(
        self,
        exchanges: Iterable[Mapping[str, Any]],
        *,
        pace: float = 1.0,
    ) -> None:
        self._unused = [Exchange.read(recorded) for recorded in exchanges]
        self._used: list[Exchange] = []
        self._pace = pace
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        self.requests: list[ReceivedRequest] = []
        """What came in, in the order of arrival."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, name="replay", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, also in the middle of answers; may be called again."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            threads = list(self._open.values())
            for connection in self._open:
                _shut(connection)  # wakes its thread, whatever it waits for
        deadline = time.monotonic() + _CLOSE_S
        with contextlib.suppress(OSError):
            # Nothing but a connection wakes `accept` on every platform.
            socket.create_connection(self._listener.getsockname(), timeout=_CLOSE_S).close()
        for thread in [self._acceptor, *threads]:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="replay", daemon=True
                )
                self._open[connection] = thread
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            # Pieces are small and each must leave at its own time: no waiting for more.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection.makefile("rb") as reader:
                while (request := _read(reader)) is not None and self._answer(connection, request):
                    pass
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the client has gone, or does not speak HTTP: nobody to tell
        finally:
            with self._lock:
                del self._open[connection]
                _shut(connection)
                connection.close()

    def _answer(self, connection: socket.socket, request: ReceivedRequest) -> bool:
        """Play the answer; False where the connection cannot be used again."""
        start = time.monotonic()
        with self._lock:
            self.requests.append(request)
            exchange = self._match(request)
        pieces = _unknown(request) if exchange is None else exchange.pieces
        for piece in pieces:
            if not _wait(connection, start + piece.at_ms / 1000 * self._pace):
                return False
            connection.sendall(piece.data)
        if not pieces:
            return _wait(connection, math.inf)
        whole = exchange is None or exchange.whole
        return whole and request.headers.get("connection", "").lower() != "close"

    def _match(self, request: ReceivedRequest) -> Exchange | None:
        def same_target(exchange: Exchange) -> bool:
            return (exchange.method, exchange.target) == (request.method, request.path)

        body = comparable(request.body)
        unused = [exchange for exchange in self._unused if same_target(exchange)]
        used = [exchange for exchange in self._used if same_target(exchange)]
        equal = [exchange for exchange in [*unused, *used] if exchange.body == body]
        found = next(iter([*equal, *unused]), None)
        # By identity: recordings of the same call may be equal.
        if found is not None and any(exchange is found for exchange in unused):
            self._unused = [exchange for exchange in self._unused if exchange is not found]
            self._used.append(found)
        return found


def _read(reader: io.BufferedReader) -> ReceivedRequest | None:
    line = reader.readline(_LINE_BYTES).decode("latin-1").strip()
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value for name, value in http.client.parse_headers(reader).items()}
    length = int(headers.get("content-length", "0"))
    body = reader.read(length)
    return ReceivedRequest(method, path, headers, body) if len(body) == length else None


def _unknown(request: ReceivedRequest) -> tuple[Piece, ...]:
    error = f"no recorded exchange for {request.method} {request.path}"
    body = orjson.dumps({"error": error})
    head = (
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (Piece(0.0, head.encode() + body),)


def _wait(connection: socket.socket, until: float) -> bool:
    """Wait for a moment, or for the client or `close` to end the connection: then False."""
    while (left := until - time.monotonic()) > 0:
        connection.settimeout(None if left == math.inf else left)
        try:
            if not connection.recv(1, socket.MSG_PEEK):
                return False
            # The next request is here already (pipelining): this answer keeps its time.
            time.sleep(min(left, 0.01))
        except TimeoutError:
            pass
        finally:
            connection.settimeout(None)
    return True


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        connection.shutdown(socket.SHUT_RDWR)
