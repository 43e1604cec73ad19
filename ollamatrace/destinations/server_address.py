"""The address of a server, taken apart."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from ollamatrace.errors import ConfigError

_MAX_LABEL: Final = 63
"""Characters between two dots of a host's name."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where a server is.

    Attributes:
        url: Without credentials and without a slash at the end; it may have a path.
        username: From ``user:password@``; ``None`` if the address has none.
        password: See there.
        is_loopback: The server is on this machine.
    """

    url: str
    username: str | None
    password: str
    is_loopback: bool

    @classmethod
    def parse(cls, server: str, form: str) -> Address:
        """Take `server` apart. What a browser adds to it (``#/experiments/…``) is left out.

        Args:
            server: ``http://…`` or ``https://…``.
            form: How such an address reads, for the one who gave another.

        Raises:
            ConfigError: it is no address of a server.
        """
        try:
            parts = urlsplit(server)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        # An `@` behind a slash is one that belongs to a password, which would be shown.
        if not _is_host(host) or "@" in parts.path or parts.scheme not in ("http", "https"):
            # What was given is not repeated: it may hold a password.
            raise ConfigError(
                f"the address of {form}; special characters in a password are written as %XX"
            )
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port is None else f"{shown}:{port}"
        return cls(
            url=f"{parts.scheme}://{authority}{parts.path.rstrip('/')}",
            username=None if parts.username is None else unquote(parts.username),
            password=unquote(parts.password or ""),
            is_loopback=_is_loopback(host),
        )


def _is_host(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    return host.isprintable() and all(0 < len(label) <= _MAX_LABEL for label in labels)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
