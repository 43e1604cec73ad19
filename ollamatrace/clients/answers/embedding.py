"""Embeddings: vectors, no text, never streamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ollamatrace.clients.answers.answer import Facts, Merger, text_of
from ollamatrace.clients.answers.openai_usage import is_ollama, prompt_usage


class EmbeddingAnswer:
    """``embeddings.create``."""

    def parts_in(self, given: Mapping[str, Any]) -> None:
        """No chunk has such objects."""

    def merger(self) -> Merger:
        """There is nothing to put together."""
        raise TypeError("embeddings are not streamed")

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer."""
        return Facts(
            model=text_of(outputs.get("model")),
            usage=prompt_usage(outputs),
            from_ollama=is_ollama(outputs),
        )
