"""The endpoints that are traced: one table for each SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ollamatrace.clients.answers import (
    Answer,
    ChatAnswer,
    CompletionAnswer,
    EmbeddingAnswer,
    OllamaAnswer,
    ResponsesAnswer,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a client that calls a model.

    Attributes:
        resource: The way from the client to the object that has the method; empty: the client.
        method: Its name.
        kind: The kind of its spans.
        answer: How its answers are read.
    """

    resource: str
    method: str
    kind: str
    answer: Answer

    @property
    def operation(self) -> str:
        """What the SDK's own helpers for one thing have in common: ``parse`` is a ``create``."""
        return self.resource or self.method


OPENAI: Final = (
    Endpoint("chat.completions", "create", "CHAT_MODEL", ChatAnswer()),
    Endpoint("chat.completions", "parse", "CHAT_MODEL", ChatAnswer()),
    Endpoint("completions", "create", "LLM", CompletionAnswer()),
    Endpoint("embeddings", "create", "EMBEDDING", EmbeddingAnswer()),
    Endpoint("responses", "create", "CHAT_MODEL", ResponsesAnswer()),
    Endpoint("responses", "parse", "CHAT_MODEL", ResponsesAnswer()),
)

OLLAMA: Final = (
    Endpoint("", "chat", "CHAT_MODEL", OllamaAnswer()),
    Endpoint("", "generate", "LLM", OllamaAnswer()),
    Endpoint("", "embed", "EMBEDDING", OllamaAnswer()),
    Endpoint("", "embeddings", "EMBEDDING", OllamaAnswer()),
)
