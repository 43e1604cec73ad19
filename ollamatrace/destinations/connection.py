"""How a server is connected to: headers, TLS, proxies, time-outs."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import getproxies, proxy_bypass

from ollamatrace.destinations import http
from ollamatrace.destinations.server_address import Address
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Denied
from ollamatrace.release import release

CONNECT_S: Final = 5.0
"""How long connecting may take, unless answers are to come faster than that."""
_IDLE_S: Final = 4.0
"""Servers close what is idle after 5 s (uvicorn); we do it before they do."""
_CONNECTIONS: Final = 8
_LONGEST_S: Final = 86_400.0
"""Sockets know no time-out that is much longer than some days."""


@dataclass(frozen=True, slots=True)
class Trust:
    """By which certificates a server and we know each other.

    Attributes:
        authorities: A file or folder of the authorities that the server's may be of.
        authorities_by: The setting that names it.
        own: A file with the client's own certificate, and its key if `own_key` is ``None``.
        own_key: A file with the key.
        own_by: The setting that names them.
        is_blind: The server's certificate is not checked.
    """

    authorities: str | None
    authorities_by: str
    own: str | None
    own_by: str
    own_key: str | None = None
    is_blind: bool = False


def standing_headers() -> dict[str, str]:
    """What every request carries, whatever the server."""
    return {
        "user-agent": f"ollamatrace/{release()}",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
    }


def basic(username: str, password: str) -> str:
    """The value of ``Authorization`` for a user and a password."""
    known = f"{username}:{password}".encode("utf-8", "surrogateescape")
    return "Basic " + base64.b64encode(known).decode("ascii")


def check_header(name: str, value: str) -> None:
    """Make sure that a header can carry `value`.

    Raises:
        ConfigError: it cannot; the text has the name of the setting only.
    """
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{name} has characters that no header can carry")


def timeouts(timeout_s: float) -> dict[str, float]:
    """How long each step may take, in the form of a request's extension."""
    timeout_s = min(timeout_s, _LONGEST_S)
    return {
        "connect": min(CONNECT_S, timeout_s),
        "read": timeout_s,
        "write": timeout_s,
        "pool": timeout_s,
    }


def open_transport(address: Address, trust: Trust) -> http.HTTPTransport:
    """Connections to one server; none is opened yet.

    This is a transport and not a client since `httpx.Client` logs each request as INFO, and
    programs show the INFO of all libraries: nothing of ours may print there.

    Raises:
        Denied: a file of certificates cannot be used, or a proxy.
    """
    try:
        return http.HTTPTransport(
            verify=_tls(address, trust),
            proxy=_proxy(address),
            limits=http.Limits(
                max_connections=_CONNECTIONS,
                max_keepalive_connections=_CONNECTIONS,
                keepalive_expiry=_IDLE_S,
            ),
        )
    except (ImportError, ValueError, http.InvalidURL) as error:  # SOCKS needs a library; typos
        raise Denied(f"{address.url}: the proxy of the environment: {error}") from None


def _proxy(address: Address) -> str | None:
    """The proxy that the environment names; what runs on this machine needs none."""
    scheme, _, rest = address.url.partition("://")
    if address.is_loopback or proxy_bypass(rest.partition("/")[0]):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _tls(address: Address, trust: Trust) -> ssl.SSLContext:
    if not address.url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused; the usual one takes long to make
    authorities, setting = trust.authorities, trust.authorities_by
    try:
        if authorities is None:
            context = http.create_ssl_context()
        elif Path(authorities).is_dir():
            context = ssl.create_default_context(capath=authorities)
        else:
            context = ssl.create_default_context(cafile=authorities)
        if trust.is_blind:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if trust.own is not None:
            setting = trust.own_by
            context.load_cert_chain(trust.own, trust.own_key)
    except OSError as error:  # ssl.SSLError is one
        raise Denied(
            f"{address.url}: {setting} names a file that cannot be used: {error}"
        ) from None
    return context
