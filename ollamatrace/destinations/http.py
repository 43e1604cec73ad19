"""The HTTP library, imported when something of it is first used: httpx, or httpx2.

Two have the same names, and OpenAI's client (3 and later, on httpx2) asks at each call whether
httpx is loaded, to get along with it. Were it loaded by a thread of ours, a call at that moment
would find half of a module, and fail. So httpx is used where the program has loaded it already;
else httpx2, which nobody looks for, if it is there.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from httpx import (
        URL,
        ConnectError,
        ConnectTimeout,
        DecodingError,
        HTTPTransport,
        InvalidURL,
        Limits,
        LocalProtocolError,
        ReadError,
        RemoteProtocolError,
        Request,
        Response,
        TimeoutException,
        TransportError,
        UnsupportedProtocol,
        WriteError,
        create_ssl_context,
    )

    __all__ = [
        "URL",
        "ConnectError",
        "ConnectTimeout",
        "DecodingError",
        "HTTPTransport",
        "InvalidURL",
        "Limits",
        "LocalProtocolError",
        "ReadError",
        "RemoteProtocolError",
        "Request",
        "Response",
        "TimeoutException",
        "TransportError",
        "UnsupportedProtocol",
        "WriteError",
        "create_ssl_context",
    ]


def __getattr__(name: str) -> Any:
    found = globals()[name] = getattr(_library(), name)
    return found


def _library() -> Any:
    if "httpx" not in sys.modules:
        with contextlib.suppress(ImportError):
            return importlib.import_module("httpx2")
    return importlib.import_module("httpx")
