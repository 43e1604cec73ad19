"""Who answers the calls of a client, and where that is."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_OLLAMA_PORT: Final = 11434
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Provider:
    """The server that a client talks to.

    Attributes:
        name: Who answers, if the answer itself does not say.
        place: Host and port, as attributes of a span; empty if the client does not tell them.
    """

    name: str
    place: Mapping[str, str | int]

    @classmethod
    def of(cls, client: Any, *, is_native: bool) -> Provider:
        """What the class and the address of a client say.

        Args:
            client: An OpenAI client, or an Ollama client.
            is_native: It is Ollama's own.
        """
        url = getattr(client, "base_url", None)
        if is_native:
            url = getattr(getattr(client, "_client", None), "base_url", None)
        place = _place(url)
        if any("Azure" in kind.__name__ for kind in type(client).__mro__):
            return cls("azure.ai.openai", place)
        is_ollama = is_native or place.get("server.port") == _OLLAMA_PORT
        return cls("ollama" if is_ollama else "openai", place)


def _place(url: Any) -> dict[str, str | int]:
    """Only host and port: the rest of an address may hold secrets."""
    host = getattr(url, "host", None)
    port = getattr(url, "port", None) or _PORTS.get(getattr(url, "scheme", ""))
    if not (host and isinstance(host, str) and isinstance(port, int)):
        return {}
    return {"server.address": host, "server.port": port}
