"""The scripted model behind HTTP, and what it was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from tests.frameworks.script import RefusedError, Said, say
from tests.frameworks.wire import Chat, Ollama, Responses

_FORMS: Final = {
    "/v1/chat/completions": Chat,
    "/v1/responses": Responses,
    "/api/chat": Ollama,
}
_CHANGING: Final = {"host"}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    id: str
    """In the answer, too."""
    said: Said | None
    """``None`` if it was refused."""
    counts: bool
    """Whether the answer has tokens."""

    @property
    def request(self) -> tuple[str, dict[str, str], dict[str, Any]]:
        """What the program sent."""
        return self.path, self.headers, self.body


class ScriptedServer:
    """A model's server on loopback; each connection serves one request, as loops come and go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> list[Exchange]:
        """What has come since this was asked last, and forget it: ids begin anew."""
        with self._lock:
            exchanges, self._exchanges = self._exchanges, []
        return exchanges

    def exchange(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[Any, Any]:
        """Note a request; the form of the answer, and what is said (``None``: refused)."""
        with self._lock:
            form = _FORMS[path](body, len(self._exchanges) + 1)
            try:
                said = say(form.asked())
            except RefusedError:
                said = None
            exchange = Exchange(path, headers, body, form.id, said, form.counts)
            self._exchanges.append(exchange)
        return form, said

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sent = {name.lower(): value for name, value in self.headers.items()}
                kept = {name: value for name, value in sent.items() if name not in _CHANGING}
                form, said = server.exchange(self.path, kept, body)
                if said is None:
                    self._whole(400, {"error": {"message": "refused", "code": "refused"}})
                elif not form.streamed:
                    self._whole(200, form.whole(said))
                else:
                    self._head(200, form.kind)
                    for piece in form.pieces(said):
                        self.wfile.write(piece)
                        self.wfile.flush()

            def _whole(self, status: int, value: dict[str, Any]) -> None:
                data = json.dumps(value).encode()
                self._head(status, "application/json", len(data))
                self.wfile.write(data)

            def _head(self, status: int, kind: str, length: int | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler
