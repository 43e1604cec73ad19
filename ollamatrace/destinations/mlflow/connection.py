"""How a server is connected to: headers, TLS, proxies, time-outs."""

from __future__ import annotations

import base64
import ssl
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.request import getproxies, proxy_bypass

from ollamatrace.destinations import http
from ollamatrace.destinations.mlflow.address import Address
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Denied
from ollamatrace.settings import Access

CONNECT_S: Final = 5.0
"""How long connecting may take, unless answers are to come faster than that."""
_IDLE_S: Final = 4.0
"""Servers close what is idle after 5 s (uvicorn); we do it before they do."""
_CONNECTIONS: Final = 8
_LONGEST_S: Final = 86_400.0
"""Sockets know no time-out that is much longer than some days."""


def headers(address: Address, access: Access) -> dict[str, str]:
    """What every request carries.

    Raises:
        ConfigError: a token or a workspace that no header can carry.
    """
    fixed = {
        "user-agent": f"ollamatrace/{version('ollamatrace')}",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
    }
    if address.username is not None:
        fixed["authorization"] = _basic(address.username, address.password)
    elif access.username is not None:
        fixed["authorization"] = _basic(access.username, access.password or "")
    elif access.token is not None:
        _check("MLFLOW_TRACKING_TOKEN", access.token)
        fixed["authorization"] = f"Bearer {access.token}"
    if access.workspace is not None:
        _check("MLFLOW_WORKSPACE", access.workspace)
        fixed["x-mlflow-workspace"] = access.workspace
    return fixed


def timeouts(timeout_s: float) -> dict[str, float]:
    """How long each step may take, in the form of a request's extension."""
    timeout_s = min(timeout_s, _LONGEST_S)
    return {
        "connect": min(CONNECT_S, timeout_s),
        "read": timeout_s,
        "write": timeout_s,
        "pool": timeout_s,
    }


def open_transport(address: Address, access: Access) -> http.HTTPTransport:
    """Connections to one server; none is opened yet.

    This is a transport and not a client since `httpx.Client` logs each request as INFO, and
    programs show the INFO of all libraries: nothing of ours may print there.

    Raises:
        Denied: a file of certificates cannot be used, or a proxy.
    """
    try:
        return http.HTTPTransport(
            verify=_tls(address, access),
            proxy=_proxy(address),
            limits=http.Limits(
                max_connections=_CONNECTIONS,
                max_keepalive_connections=_CONNECTIONS,
                keepalive_expiry=_IDLE_S,
            ),
        )
    except (ImportError, ValueError, http.InvalidURL) as error:  # SOCKS needs a library; typos
        raise Denied(f"{address.url}: the proxy of the environment: {error}") from None


def _basic(username: str, password: str) -> str:
    known = f"{username}:{password}".encode("utf-8", "surrogateescape")
    return "Basic " + base64.b64encode(known).decode("ascii")


def _check(name: str, value: str) -> None:
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{name} has characters that no header can carry")


def _proxy(address: Address) -> str | None:
    """The proxy that the environment names; what runs on this machine needs none."""
    scheme, _, rest = address.url.partition("://")
    if address.is_loopback or proxy_bypass(rest.partition("/")[0]):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _tls(address: Address, access: Access) -> ssl.SSLContext:

    if not address.url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused; the usual one takes long to make
    authorities = access.server_cert_path
    name = "MLFLOW_TRACKING_SERVER_CERT_PATH"
    try:
        if authorities is None:
            context = http.create_ssl_context()
        elif Path(authorities).is_dir():
            context = ssl.create_default_context(capath=authorities)
        else:
            context = ssl.create_default_context(cafile=authorities)
        if access.insecure_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.client_cert_path is not None:
            name = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
            context.load_cert_chain(access.client_cert_path)
    except OSError as error:  # ssl.SSLError is one
        raise Denied(f"{address.url}: {name} names a file that cannot be used: {error}") from None
    return context
