"""What an answer of a server means that is no success, told in one line."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from ollamatrace.destinations import http
from ollamatrace.pipeline import Broken, Denied, Refused, Unavailable
from ollamatrace.records.shapes import as_dict

OLDEST: Final = (3, 12)
"""The oldest MLflow that takes OTLP as JSON, which needs no protobuf library here."""

_LOGIN: Final = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
)
_SHOWN: Final = 200
_NOT_FOUND: Final = 404
_FAILED: Final = 500
_REFUSALS: Final = frozenset({400, 409, 413, 414, 422, 431})
_PASSING: Final = frozenset({408, 425, 429})


class Missing(Denied):
    """The server is an MLflow server, and what was asked for is not there."""


class Stranger(Denied):
    """Whoever answers is not an MLflow server, as far as this answer tells."""


class Exists(Refused):
    """What should be created is there already."""


class Unstored(Refused):
    """The server could not store spans, for a reason that may pass."""


def failure(
    response: http.Response, body: bytes, url: str, *, logged_in: bool
) -> Unavailable | Refused | Denied:
    """The exception for an answer with an error status.

    Args:
        response: The answer.
        body: As much of its body as was read.
        url: The address that was asked, without credentials.
        logged_in: Credentials were sent.
    """
    status = response.status_code
    code, said = _told(body)
    text = f"{url} answers {status}" + (f" ({said})" if said else "")
    if code == "FEATURE_DISABLED":
        return Denied(f"{text}: the server has no workspaces; unset MLFLOW_WORKSPACE")
    if status in _PASSING:
        return Unavailable(text, _retry_after(response))
    if status == 501:  # noqa: PLR2004
        return Denied(
            f"{text}: the server keeps traces in files; "
            "start it with --backend-store-uri sqlite:///mlflow.db"
        )
    if status >= _FAILED:
        kind = Broken if status == _FAILED else Unavailable
        return kind(text, _retry_after(response))
    if status in _REFUSALS:
        return _refusal(code, said, text)
    return _denial(status, code, said, text, logged_in=logged_in)


def too_old(url: str, version: str) -> Denied:
    """The server's version cannot take what we send."""
    oldest = ".".join(map(str, OLDEST))
    return Denied(f"{url} is MLflow {version}; ollamatrace needs {oldest} or newer: upgrade it")


def _refusal(code: str, said: str, text: str) -> Refused | Denied:
    if code == "RESOURCE_ALREADY_EXISTS":
        return Exists(text)
    if said.startswith("Invalid Content-Type"):
        oldest = ".".join(map(str, OLDEST))
        return Denied(f"{text}: the server is older than MLflow {oldest}; upgrade it")
    if said.startswith("Failed to log"):
        return Unstored(text)
    return Refused(text)


def _denial(status: int, code: str, said: str, text: str, *, logged_in: bool) -> Denied:
    if status == 401:  # noqa: PLR2004
        if logged_in:
            return Denied(f"{text}: the server does not take these credentials; {_LOGIN}")
        return Denied(f"{text}: the server wants credentials; {_LOGIN}")
    if status == 403:  # noqa: PLR2004
        if "host" in said.lower():
            return Denied(f"{text}: start the server with --allowed-hosts and this host's name")
        return Denied(f"{text}: this user may not do that; ask for the permission EDIT")
    if status == _NOT_FOUND and code:
        return Missing(text)
    if status == _NOT_FOUND:
        return Stranger(f"{text}: no MLflow server answers there; check the address")
    return Denied(f"{text}: check the address")


def _told(body: bytes) -> tuple[str, str]:
    """The error code and the message of a body; what is not MLflow's JSON tells little."""
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").strip()
        return "", "" if text.startswith("<") else _line(text)
    fields = as_dict(told)
    said = fields.get("message") or fields.get("detail") or ""
    text = said if isinstance(said, str) else orjson.dumps(said).decode()
    return str(fields.get("error_code", "")), _line(text)


def _line(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _retry_after(response: http.Response) -> float | None:
    """``Retry-After`` in seconds: it holds a number of them, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())
    except (ValueError, OverflowError):  # a year or a zone that cannot be
        return None
