"""Token counts in OpenAI's two vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ollamatrace.clients.answers.answer import counted
from ollamatrace.records import Usage
from ollamatrace.records.shapes import as_dict


def prompt_usage(outputs: Mapping[str, Any]) -> Usage | None:
    """Counts of chat completions, completions and embeddings."""
    usage = as_dict(outputs.get("usage"))
    return counted(
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        usage.get("total_tokens"),
        as_dict(usage.get("prompt_tokens_details")).get("cached_tokens"),
        as_dict(usage.get("completion_tokens_details")).get("reasoning_tokens"),
    )


def input_usage(outputs: Mapping[str, Any]) -> Usage | None:
    """Counts of responses."""
    usage = as_dict(outputs.get("usage"))
    return counted(
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        usage.get("total_tokens"),
        as_dict(usage.get("input_tokens_details")).get("cached_tokens"),
        as_dict(usage.get("output_tokens_details")).get("reasoning_tokens"),
    )


def is_ollama(outputs: Mapping[str, Any]) -> bool:
    """Whether Ollama's /v1 gave this answer."""
    return outputs.get("system_fingerprint") == "fp_ollama"
