"""What an answer of an OTLP server means that is no success, told in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from ollamatrace.destinations import http
from ollamatrace.destinations.answer import PASSING, one_line, retry_after
from ollamatrace.destinations.otlp.target import HEADERS
from ollamatrace.pipeline import Broken, Denied, Refused, Unavailable
from ollamatrace.records.shapes import as_dict

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _OTHER_VERB, _OTHER_TYPE = 401, 403, 404, 405, 415
_FAILED, _UNIMPLEMENTED = 500, 501
_REFUSALS: Final = frozenset({400, 413, 422})


def failure(
    response: http.Response,
    body: bytes,
    url: str,
    *,
    message: Callable[[bytes], str],
    is_withheld: bool,
) -> Unavailable | Refused | Denied:
    """The exception for an answer with an error status.

    Args:
        response: The answer.
        body: As much of its body as was read.
        url: The address that was asked, without credentials.
        message: Reads what a `Status` in the encoding of the request says.
        is_withheld: There are headers in the environment, which were not sent to this server.
    """
    status = response.status_code
    in_kind = "protobuf" in response.headers.get("content-type", "")
    said = one_line(message(body) if in_kind else _text(body))
    text = f"{url} answers {status}" + (f" ({said})" if said else "")
    if status in PASSING:
        return Unavailable(text, retry_after(response))
    if status >= _FAILED and status != _UNIMPLEMENTED:
        kind = Broken if status == _FAILED else Unavailable
        return kind(text, retry_after(response))
    return Refused(text) if status in _REFUSALS else _denial(status, text, is_withheld=is_withheld)


def _denial(status: int, text: str, *, is_withheld: bool) -> Denied:
    if status in (_UNAUTHORIZED, _FORBIDDEN) and is_withheld:
        return Denied(
            f"{text}: {HEADERS} is sent only to the server that OTEL_EXPORTER_OTLP_ENDPOINT "
            "names; name this one there"
        )
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return Denied(f"{text}: set the key for this server in {HEADERS} (`name=value`)")
    if status in (_NOT_FOUND, _OTHER_VERB):
        return Denied(f"{text}: the server takes no traces at this path; check the address")
    if status == _OTHER_TYPE:
        return Denied(f"{text}: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf or http/json")
    return Denied(f"{text}: check the address")


def _text(body: bytes) -> str:
    """The message in JSON, or a text that is no page."""
    try:
        told: Any = as_dict(orjson.loads(body))
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    said = told.get("message") or told.get("detail") or told.get("error") or ""
    return said if isinstance(said, str) else orjson.dumps(said).decode()
