"""What `ollamatrace doctor` tries with a server of any kind."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from ollamatrace import Tracer
from ollamatrace.cli.finding import Finding, ok, problem
from ollamatrace.pipeline import Unavailable
from ollamatrace.records.view import figures

_SEND_S: Final = 20.0
_NS: Final = 1e9


def sent(address: str) -> Finding:
    """Send a test span all the way, as a program would."""
    told: list[str] = []
    with Tracer(address, on_warning=told.append) as tracer:
        tracer.enable()  # asked for, whatever the environment says
        with tracer.span("ollamatrace doctor") as span:
            span.outputs = "a test span"
        report = tracer.flush(_SEND_S)
        [arrivals] = tracer.stats().arrivals.values()
        page = span.url
    counts = f"accepted {report.accepted}, delivered {report.delivered}"
    if report.delivered == report.accepted:
        where = f": {page}" if page is not None else ""
        lag = arrivals.last_lag_s
        took = "" if lag is None else f", {figures.duration(round(lag * _NS))} after it ended"
        return ok("test_span", f"a test span has arrived ({counts}{took}){where}")
    why = "; ".join(told) or f"nothing came of it within {_SEND_S:g} s"
    return problem("test_span", f"a test span has not arrived ({counts}): {why}")


def unreachable(url: str, error: Unavailable) -> str:
    """Why a server does not answer, and what to do."""
    parts = urlsplit(url)
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 0)
    except OSError as unknown:
        return (
            f"the name {parts.hostname} does not resolve ({unknown}): check its spelling, the "
            "network or the VPN"
        )
    text = str(error)
    if "refused" in text.lower():
        return f"{text}: nothing listens there; start the server, or check host and port"
    return text
