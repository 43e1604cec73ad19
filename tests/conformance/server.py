"""A model's server that does what the name of the asked model says."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import Final, Self

PIECES: Final = ("One", " two", " three")
DEADLINE_S: Final = 8.0
"""An answer that hangs is cut off after this, so that nothing waits for ever."""


class ModelServer:
    """Speaks OpenAI's and Ollama's chat, one connection a request.

    Models: `answers`; `fails` with status 500; `hangs` for ever; `streams` all there is;
    `stalls` after two pieces; `breaks`: the connection is cut inside the body after two pieces;
    `stops`: a proper end of the body after two pieces, but no final message.
    """

    def __init__(self) -> None:
        self._hanging = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()
        self.cut()

    @property
    def hanging(self) -> int:
        """How many answers have come to where they hang, ever."""
        return self._hanging

    def cut(self) -> None:
        """End every open connection."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            connection.settimeout(DEADLINE_S)
            with connection.makefile("rb") as reader:
                path, asked = _request(reader)
            _Answer(self, connection, path.startswith("/v1/")).give(asked)
        except (OSError, ValueError):
            pass  # the client has gone
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def hang(self, connection: socket.socket) -> None:
        """Wait for the client to go."""
        with self._lock:
            self._hanging += 1
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until and connection.recv(1):
            pass


class _Answer:
    def __init__(self, server: ModelServer, connection: socket.socket, openai: bool) -> None:
        self._server = server
        self._connection = connection
        self._openai = openai

    def give(self, asked: dict) -> None:
        model, streamed = asked["model"], asked.get("stream", False)
        if model == "hangs":
            self._server.hang(self._connection)
        elif model == "fails":
            self._whole("500 Internal Server Error", {"error": "the model has burst"})
        elif streamed:
            self._stream(model)
        else:
            self._whole("200 OK", self._message("".join(PIECES), whole=True))

    def _whole(self, status: str, body: dict) -> None:
        data = json.dumps(body).encode()
        self._head(status, "application/json", f"Content-Length: {len(data)}")
        self._connection.sendall(data)

    def _stream(self, model: str) -> None:
        kind = "text/event-stream" if self._openai else "application/x-ndjson"
        self._head("200 OK", kind, "Transfer-Encoding: chunked")
        for piece in PIECES[: 3 if model == "streams" else 2]:
            self._chunk(self._message(piece))
        if model == "stalls":
            self._server.hang(self._connection)
        elif model == "breaks":
            self._connection.sendall(b"400\r\n{")  # more is announced, and never comes
        else:
            if model == "streams":
                self._chunk(self._message("", final=True))
                if self._openai:
                    self._send_chunk(b"data: [DONE]\n\n")
            self._connection.sendall(b"0\r\n\r\n")

    def _head(self, status: str, kind: str, framing: str) -> None:
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{framing}\r\nConnection: close\r\n\r\n"
        )
        self._connection.sendall(head.encode())

    def _chunk(self, message: dict) -> None:
        line = json.dumps(message)
        self._send_chunk((f"data: {line}\n\n" if self._openai else f"{line}\n").encode())

    def _send_chunk(self, data: bytes) -> None:
        self._connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def _message(self, text: str, *, whole: bool = False, final: bool = False) -> dict:
        message = {"role": "assistant", "content": text}
        if not self._openai:
            done = {"done_reason": "stop", "eval_count": 3, "prompt_eval_count": 5}
            ended = whole or final
            return {"model": "m", "message": message, "done": ended, **(done if ended else {})}
        reason = "stop" if whole or final else None
        choice = {"index": 0, "message" if whole else "delta": message, "finish_reason": reason}
        kind = "chat.completion" if whole else "chat.completion.chunk"
        return {"id": "c", "object": kind, "created": 1, "model": "m", "choices": [choice]}


def _request(reader) -> tuple[str, dict]:
    line = reader.readline().decode()
    if not line:
        raise ValueError("nothing was asked")
    length = 0
    while header := reader.readline().strip().decode("latin-1").lower():
        name, _, value = header.partition(":")
        if name == "content-length":
            length = int(value)
    return line.split()[1], json.loads(reader.read(length))
