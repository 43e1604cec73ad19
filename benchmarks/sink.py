"""A server that says yes to everything: ``python -m benchmarks.sink`` prints its address.

It answers as an MLflow server, an OpenTelemetry collector and the servers of other tracers do, as
far as their clients look at answers. What came is looked at when it is asked for, not before:
``GET /seen`` tells which calls it has heard of, and forgets them.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.request import urlopen

from benchmarks.payload import CALL
from benchmarks.surroundings import ROOT

_ANSWERED: Final = b"(answer to call-"
_ASKED: Final = b"(call-"
_EXPERIMENT: Final = {
    "experiment_id": "1",
    "name": "Default",
    "artifact_location": "mlflow-artifacts:/1",
    "lifecycle_stage": "active",
}


def _answers(url: str) -> dict[str, Any]:
    """What clients insist on, by the beginning of the path."""
    return {
        "/api/2.0/mlflow/experiments/": {"experiment": _EXPERIMENT, "experiment_id": "1"},
        "/api/apikey/login": {"org_info": [{"id": "1", "name": "none", "api_url": url}]},
        "/v1/project": {"id": "1", "name": "peers", "org_id": "1"},
        "/v1/info": {"project_name": "peers", "project_url": url},
    }


class Http(BaseHTTPRequestHandler):
    """What servers on loopback have in common."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body are one piece

    def answer(self, value: Any, status: int = 200, kind: str = "application/json") -> None:
        """Send JSON, or a body that is ready."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        """What came with the request."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name of the base
        """Say nothing."""


class _Sink(Http):
    came: ClassVar[list[tuple[str, bytes]]] = []

    def do_GET(self) -> None:
        if self.path == "/seen":
            self.answer(seen_in(list(self.came)))
        else:
            self._yes()

    def do_POST(self) -> None:
        body = self.body()
        self.came.append((self.headers.get("Content-Encoding") or "", body))
        self._yes(body)

    do_PUT = do_PATCH = do_POST  # noqa: N815  the names of the base

    def _yes(self, body: bytes = b"") -> None:
        kind = self.headers.get("Content-Type") or "application/json"
        if self.path == "/version":
            self.answer(b"3.17.2", kind="text/plain")
        elif "protobuf" in kind:
            self.answer(b"", kind=kind)  # an empty message: nothing was refused
        elif self.path.endswith("/mlflow/traces"):
            self.answer({"trace": {"trace_info": json.loads(body)["trace"]["trace_info"]}})
        else:
            known = _answers(f"http://{self.headers['Host']}")
            self.answer(next((known[path] for path in known if self.path.startswith(path)), {}))


def seen_in(came: list[tuple[str, bytes]]) -> dict[str, Any]:
    """What is told in some bodies, which may be compressed.

    Returns:
        ``calls``: how many there are; ``questions``, ``answers``: whether it is told what was said;
        ``requests``, ``bytes``: of the bodies.
    """
    calls: set[str] = set()
    questions = answers = False
    for encoding, body in came:
        content = _READERS.get(encoding, bytes)(body)
        calls.update(CALL.findall(content.decode(errors="replace")))
        questions |= _ASKED in content
        answers |= _ANSWERED in content
    return {
        "calls": len(calls),
        "requests": len(came),
        "bytes": sum(len(body) for _, body in came),
        "questions": questions,
        "answers": answers,
    }


def _zstd(body: bytes) -> bytes:
    import zstandard  # in the environments of those that use it

    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


_READERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": _zstd,
}


class Sink:
    """The server in a process of its own.

    Args:
        python: The interpreter that runs it.
    """

    def __init__(self, python: str | Path = sys.executable) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.sink"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = (self._process.stdout.readline() if self._process.stdout else "").strip()

    def seen(self) -> dict[str, Any]:
        """What has come till now; see `seen_in`."""
        with urlopen(f"{self.url}/seen") as told:  # noqa: S310  it is our own
            return json.load(told)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def sink(python: str | Path = sys.executable) -> Iterator[Sink]:
    """Have the server for a block."""
    server = Sink(python)
    try:
        yield server
    finally:
        server.close()


def main() -> None:
    """Serve until the standard input ends, as it does when who started it is gone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
