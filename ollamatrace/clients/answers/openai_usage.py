"""Token counts in OpenAI's two vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ollamatrace.clients.answers.answer import counted, part
from ollamatrace.records import Usage


def prompt_usage(outputs: Mapping[str, Any]) -> Usage | None:
    """Counts of chat completions, completions and embeddings."""
    usage = part(outputs, "usage")
    return counted(
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        total_tokens=usage.get("total_tokens"),
        cached_tokens=part(usage, "prompt_tokens_details").get("cached_tokens"),
        reasoning_tokens=part(usage, "completion_tokens_details").get("reasoning_tokens"),
    )


def input_usage(outputs: Mapping[str, Any]) -> Usage | None:
    """Counts of responses."""
    usage = part(outputs, "usage")
    return counted(
        input_tokens=usage.get("input_tokens"),
        output_tokens=usage.get("output_tokens"),
        total_tokens=usage.get("total_tokens"),
        cached_tokens=part(usage, "input_tokens_details").get("cached_tokens"),
        reasoning_tokens=part(usage, "output_tokens_details").get("reasoning_tokens"),
    )


def is_ollama(outputs: Mapping[str, Any]) -> bool:
    """Whether Ollama's /v1 gave this answer."""
    return outputs.get("system_fingerprint") == "fp_ollama"
