"""A running Ollama, if there is one: where, which version, and which models it has."""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ollamatrace.errors import ConfigError
from ollamatrace.records.shapes import as_dict, as_list

_PORT: Final = 11434
_TIMEOUT_S: Final = 1.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class OllamaServer:
    """What an Ollama says about itself."""

    url: str
    version: str
    models: tuple[dict[str, Any], ...]

    @classmethod
    def find(cls, url: str) -> OllamaServer | None:
        """Ask quickly; ``None`` where nobody answers, or not as Ollama does."""
        try:
            version = _get(f"{url}/api/version")["version"]
            models = as_list(_get(f"{url}/api/tags")["models"])
            return cls(url, str(version), tuple(map(as_dict, models)))
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            return None

    @property
    def names(self) -> list[str]:
        """The names of all its models."""
        return [str(model.get("name")) for model in self.models]

    def chat_model(self, wanted: str | None) -> str | None:
        """The model asked for, else the first installed one that talks; ``None``: there is none.

        Raises:
            ConfigError: the model asked for is not there.
        """
        if wanted is not None:
            if wanted not in self.names and f"{wanted}:latest" not in self.names:
                have = ", ".join(self.names) or "none"
                raise ConfigError(f"Ollama at {self.url} has no model {wanted} (it has {have})")
            return wanted
        # A model in somebody's cloud is for those who ask for it by name.
        here = [model for model in self.models if not model.get("remote_host")]
        return next((str(model["name"]) for model in here if not _embeds(model)), None)

    def can_think(self, model: str) -> bool:
        """Whether a model says that it can think before it answers."""
        try:
            told = as_dict(_get(f"{self.url}/api/show", {"model": model}))
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return "thinking" in as_list(told.get("capabilities"))

    def embedding_model(self, chat_model: str) -> str:
        """The first model made for embeddings, else the one that talks."""
        return next((str(model["name"]) for model in self.models if _embeds(model)), chat_model)


def ollama_url() -> str:
    """The address of Ollama: ``OLLAMA_HOST`` in any of its forms, else the usual one.

    Raises:
        ConfigError: ``OLLAMA_HOST`` is no address.
    """
    host = os.environ.get("OLLAMA_HOST", "").strip()
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = parts.hostname or "127.0.0.1"
    if name in {"0.0.0.0", "::"}:  # noqa: S104  where a server listens, not where it is
        name = "127.0.0.1"
    usual = _PORT if "://" not in host else {"https": 443}.get(parts.scheme, 80)
    try:
        port = parts.port or usual
    except ValueError:
        raise ConfigError(f"OLLAMA_HOST={host} is no address: write host:port") from None
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}:{port}{parts.path.rstrip('/')}"


def _embeds(model: dict[str, Any]) -> bool:
    capabilities = model.get("capabilities")
    if isinstance(capabilities, list) and capabilities:
        return "completion" not in capabilities
    return "embed" in str(model.get("name"))


def _get(url: str, question: dict[str, Any] | None = None) -> Any:
    handlers = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname in _LOOPBACK else []
    opener = urllib.request.build_opener(*handlers)
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        return json.load(answer)
