"""What a traced client knows beside what the client itself knows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

from ollamatrace.tracer import Tracer, registry

_OLLAMA_PORT: Final = 11434


@dataclass(frozen=True, slots=True)
class Binding:
    """How the calls of one client are traced.

    Attributes:
        original: The caller's own client; the reference keeps its connections open.
        explicit: The tracer that was asked for; ``None``: the one that fits, at each call.
        name: What its spans are called instead of their usual names.
        provider: Who answers, if the answer itself does not say.
        sentinels: The types of the SDK that mean "not given".
    """

    original: Any
    explicit: Tracer | None
    name: str | None
    provider: str
    sentinels: frozenset[type]

    def tracer(self) -> Tracer | None:
        """The tracer that a call made here and now would use."""
        return self.explicit or registry.resolve()


def bind(client: Any, explicit: Tracer | None, name: str | None) -> Binding:
    """Make the binding for a caller's client, as its class and address say."""
    return Binding(client, explicit, name, _provider(client), _sentinels())


def _provider(client: Any) -> str:
    kinds = type(client).__mro__
    if any(kind.__module__.partition(".")[0] == "ollama" for kind in kinds):
        return "ollama"
    if any("Azure" in kind.__name__ for kind in kinds):
        return "azure.ai.openai"
    url = getattr(client, "base_url", None)
    return "ollama" if getattr(url, "port", None) == _OLLAMA_PORT else "openai"


def _sentinels() -> frozenset[type]:
    sdk = sys.modules.get("openai")
    kinds = (getattr(sdk, name, None) for name in ("NotGiven", "Omit"))
    return frozenset(kind for kind in kinds if isinstance(kind, type))
