"""One recorded exchange with a server, as what to match and what to send when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from ollamatrace.records.shapes import as_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

# The replaying server frames the body itself and keeps or ends the connection itself.
_OWN_HEADERS: Final = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that go out together, and when: in milliseconds after the request came."""

    at_ms: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded request and the pieces of its answer; no pieces: the server never answered."""

    method: str
    target: str
    body: Any
    pieces: tuple[Piece, ...]
    whole: bool
    """False where the recording stops before the end of the answer."""

    @classmethod
    def read(cls, recorded: Mapping[str, Any]) -> Exchange:
        """Read one element of a capture's ``exchanges``."""
        request = as_dict(recorded["request"])
        method, target, _ = request["line"].split(" ", 2)
        response = as_dict(recorded.get("response"))
        return cls(
            method=method,
            target=target,
            body=comparable(str(as_dict(request.get("body")).get("text", "")).encode()),
            pieces=tuple(_pieces(response)) if response else (),
            whole=not response.get("client_went_away"),
        )


def comparable(body: bytes) -> Any:
    """A body as its JSON value, so that spaces and the order of keys do not matter."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body


def _pieces(response: Mapping[str, Any]) -> list[Piece]:
    chunks = cast("list[dict[str, Any]]", response["chunks"])
    texts = [(float(chunk["t_ms"]), str(chunk["text"]).encode()) for chunk in chunks]
    chunked = response["framing"] == "chunked"
    length = sum(len(text) for _, text in texts)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    headers = [
        f"{name}: {value}"
        for name, value in response["headers"]
        if name.lower() not in _OWN_HEADERS
    ]
    head = "\r\n".join([response["line"], *headers, framing, "", ""]).encode("latin-1")
    pieces = [Piece(float(response["headers_at_ms"]), head)]
    if not chunked:
        return [*pieces, *(Piece(at_ms, text) for at_ms, text in texts)]
    # Each recorded chunk stays one chunk on the wire: what a client can read at once is part of
    # what was recorded, two events in one chunk included.
    pieces += [Piece(at_ms, b"%x\r\n%b\r\n" % (len(text), text)) for at_ms, text in texts if text]
    if not response.get("client_went_away"):
        pieces.append(Piece(float(response["end_ms"]), b"0\r\n\r\n"))
    return pieces
