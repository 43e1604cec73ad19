"""Answers of which no more is known than what they hold: images, audio, judgements, progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ollamatrace.clients.answers.answer import Channel, Facts, Merger, text_of
from ollamatrace.clients.answers.openai_usage import input_usage, prompt_usage


class OtherAnswer:
    """An answer that is kept as it came."""

    def parts_in(self, given: Mapping[str, Any]) -> None:
        """No chunk has such objects."""

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _LastOne()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer; its tokens are in either of OpenAI's vocabularies."""
        return Facts(
            model=text_of(outputs.get("model")),
            usage=input_usage(outputs) or prompt_usage(outputs),
        )


class ProgressAnswer(OtherAnswer):
    """What Ollama tells while it makes, fetches or sends a model: its latest word counts."""

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _Progress()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer; it is whole when it says that all went well."""
        return Facts(complete=outputs.get("status") == "success")


class _LastOne:
    """Streams of this kind end with an event that holds the whole; the others are its events."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        return True

    def add(self, chunk: Mapping[str, Any]) -> Channel | None:
        self._last = dict(chunk)
        return "answer" if str(chunk.get("type")).endswith(".delta") else None

    def result(self) -> dict[str, Any]:
        return self._last


class _Progress(_LastOne):
    @property
    def complete(self) -> bool:
        return self._last.get("status") == "success"
