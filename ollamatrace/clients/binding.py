"""What a traced client knows beside what the client itself knows."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

from ollamatrace.clients.provider import Provider
from ollamatrace.tracer import Tracer, registry


@dataclass(frozen=True, slots=True)
class Binding:
    """How the calls of one client are traced.

    Attributes:
        original: The caller's own client; the reference keeps its connections open.
        explicit: The tracer that was asked for; ``None``: the one that fits, at each call.
        name: What its spans are called instead of their usual names.
        include_usage: Whether streams are asked for token counts.
        propagate: Whether requests name the span of their call.
        provider: Who answers, if the answer itself does not say, and where.
        is_async: Whether its methods are coroutines.
        sentinels: The types of the SDK that mean "not given".
        sends_files: Whether it takes functions and paths, and sends what they stand for.
    """

    original: Any
    explicit: Tracer | None
    name: str | None
    include_usage: bool
    propagate: bool
    provider: Provider
    is_async: bool
    sentinels: frozenset[type]
    sends_files: bool

    def tracer(self) -> Tracer | None:
        """The tracer that a call made here and now would use."""
        return self.explicit or registry.resolve()


def bind(
    client: Any,
    explicit: Tracer | None,
    name: str | None,
    *,
    include_usage: bool,
    propagate: bool,
    is_async: bool,
) -> Binding:
    """Make the binding for a caller's client, as its class and address say."""
    native = is_of(client, "ollama")
    return Binding(
        client,
        explicit,
        name,
        include_usage=include_usage,
        propagate=propagate,
        provider=Provider.of(client, is_native=native),
        is_async=is_async,
        sentinels=_sentinels(),
        sends_files=native,
    )


def rebound(binding: Binding, client: Any) -> Binding:
    """The binding for a copy of a client, which may have another address."""
    provider = Provider.of(client, is_native=is_of(client, "ollama"))
    return replace(binding, original=client, provider=provider)


def is_of(value: object, package: str) -> bool:
    """Whether it is an object of a class of `package`, or of a subclass of one."""
    kinds = type(value).__mro__
    return any(kind.__module__.partition(".")[0] == package for kind in kinds)


def _sentinels() -> frozenset[type]:
    sdk = sys.modules.get("openai")
    kinds = (getattr(sdk, name, None) for name in ("NotGiven", "Omit"))
    return frozenset(kind for kind in kinds if isinstance(kind, type))
