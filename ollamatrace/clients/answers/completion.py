"""OpenAI completions, the older endpoint for plain text."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ollamatrace.clients.answers.answer import (
    Channel,
    Facts,
    Merger,
    index_of,
    part,
    pieces,
    text_of,
)
from ollamatrace.clients.answers.chat import choice_facts
from ollamatrace.records.shapes import as_list, is_list


class CompletionAnswer:
    """``completions.create``."""

    def parts_in(self, given: Mapping[str, Any]) -> None:
        """No chunk has such objects."""

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _CompletionMerger()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer, merged or whole."""
        return choice_facts(outputs)


class _CompletionMerger:
    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Mapping[str, Any]) -> Channel | None:
        for key, value in chunk.items():
            if key != "choices" and (value is not None or key not in self._top):
                self._top[key] = value
        channel: Channel | None = None
        for choice in pieces(chunk, "choices"):
            index = index_of(choice)
            merged = self._choices.setdefault(index, {**choice, "text": "", "logprobs": None})
            merged["text"] += choice.get("text") or ""
            merged["finish_reason"] = choice.get("finish_reason") or merged.get("finish_reason")
            for key, values in part(choice, "logprobs").items():
                if is_list(values):
                    merged["logprobs"] = merged["logprobs"] or {}
                    merged["logprobs"][key] = as_list(merged["logprobs"].get(key)) + values
            if text_of(choice.get("text")):
                channel = "answer"
        return channel

    @property
    def complete(self) -> bool:
        return bool(self._choices) and all(
            choice["finish_reason"] for choice in self._choices.values()
        )

    def result(self) -> dict[str, Any]:
        choices = [choice for _, choice in sorted(self._choices.items())]
        return {key: choices if key == "choices" else self._top[key] for key in self._order()}

    def _order(self) -> list[str]:
        keys = [key for key in self._top if key != "id"]
        return (["id"] if "id" in self._top else []) + ["choices", *keys]
