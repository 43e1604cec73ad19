"""Ollama's native endpoints: chat, generate, embed and embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ollamatrace.clients.answers.answer import (
    Channel,
    Facts,
    Merger,
    counted,
    text_of,
)
from ollamatrace.records.shapes import as_list, is_dict, is_list

_DURATIONS: Final = {
    "load_duration": "load_ns",
    "prompt_eval_duration": "prompt_eval_ns",
    "eval_duration": "eval_ns",
    "total_duration": "total_ns",
}
_TEXTS: Final = ("content", "thinking", "response")
_LISTS: Final = ("tool_calls", "images", "logprobs")


class OllamaAnswer:
    """All of Ollama's answers: they share their counts and durations."""

    def parts_in(self, given: Mapping[str, Any]) -> None:
        """No chunk has such objects."""

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _OllamaMerger()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer, merged or whole."""
        given, made = outputs.get("prompt_eval_count"), outputs.get("eval_count")
        both = isinstance(given, int) and isinstance(made, int)
        return Facts(
            model=text_of(outputs.get("model")),
            usage=counted(
                input_tokens=given,
                output_tokens=made,
                total_tokens=given + made if both else None,  # type: ignore[operator]
                cached_tokens=outputs.get("prompt_eval_cached_count"),
            ),
            finish_reason=text_of(outputs.get("done_reason")),
            complete=outputs.get("done") is not False,
            durations={
                ours: value
                for theirs, ours in _DURATIONS.items()
                if isinstance(value := outputs.get(theirs), int)
            },
            from_ollama=True,
        )


class _OllamaMerger:
    """Texts and lists grow, everything else is as the latest line says; so is the message."""

    def __init__(self) -> None:
        self.complete = False
        self._top: dict[str, Any] = {}

    def add(self, chunk: Mapping[str, Any]) -> Channel | None:
        self.complete = self.complete or chunk.get("done") is True
        return _grow(self._top, chunk)

    def result(self) -> dict[str, Any]:
        return self._top


def _grow(merged: dict[str, Any], new: Mapping[str, Any]) -> Channel | None:
    channel: Channel | None = None
    for key, value in new.items():
        if value is None:
            merged.setdefault(key, None)
        elif key == "message" and is_dict(value):
            merged[key] = merged.get(key) or {}
            channel = _grow(merged[key], value) or channel
        elif key in _TEXTS and isinstance(value, str):
            merged[key] = (merged.get(key) or "") + value
            if value and channel != "answer":
                channel = "thinking" if key == "thinking" else "answer"
        elif key in _LISTS and is_list(value):
            merged[key] = as_list(merged.get(key)) + value
            if value and key == "tool_calls":
                channel = "answer"
        else:
            merged[key] = value
    return channel
