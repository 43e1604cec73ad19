"""OpenAI responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ollamatrace.clients.answers.answer import Channel, Facts, Merger, part, pieces, text_of
from ollamatrace.clients.answers.openai_usage import input_usage

_FINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_TEXT_FIELDS: Final = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "text",
}


class ResponsesAnswer:
    """``responses.create`` and ``parse``."""

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _ResponsesMerger()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer, merged or whole."""
        return Facts(
            model=text_of(outputs.get("model")),
            usage=input_usage(outputs),
            finish_reason=text_of(part(outputs, "incomplete_details").get("reason"))
            or text_of(outputs.get("status")),
            # One in the background goes on without the program, which comes back for it.
            complete=bool(outputs.get("background")) or outputs.get("status") != "in_progress",
        )


class RetrievedAnswer(ResponsesAnswer):
    """``responses.retrieve``: an answer that was given to another call, or goes on from one."""

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer; its tokens were counted by then, but for one made in the background."""
        facts = super().facts(outputs)
        if not outputs.get("background"):
            facts.usage = None
        return facts


class _ResponsesMerger:
    """The final event carries the whole response; until it comes, the deltas are put together."""

    def __init__(self) -> None:
        self.complete = False
        self._response: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Mapping[str, Any]) -> Channel | None:
        kind = chunk.get("type") or ""
        if response := part(chunk, "response"):
            self._response = dict(response)
            self.complete = self.complete or kind in _FINAL
        elif item := part(chunk, "item"):
            self._items[self._index(chunk)] = dict(item)
        elif kind == "response.function_call_arguments.delta":
            item = self._items.setdefault(self._index(chunk), {"type": "function_call"})
            item["arguments"] = (item.get("arguments") or "") + (chunk.get("delta") or "")
        elif field := _TEXT_FIELDS.get(kind):
            self._add_text(chunk, field)
        if not kind.endswith(".delta") or not text_of(chunk.get("delta")):
            return None
        return "thinking" if "reasoning" in kind else "answer"

    def result(self) -> dict[str, Any]:
        if self.complete or not self._items:
            return self._response
        output = [item for _, item in sorted(self._items.items())]
        return {**self._response, "output": output}

    def _index(self, chunk: Mapping[str, Any]) -> int:
        # llama.cpp leaves the index out; its items come one after the other.
        index = chunk.get("output_index")
        if isinstance(index, int):
            return index
        new = chunk.get("type") == "response.output_item.added"
        return len(self._items) if new else max(len(self._items) - 1, 0)

    def _add_text(self, chunk: Mapping[str, Any], field: str) -> None:
        item = self._items.setdefault(self._index(chunk), {"type": "message", "content": []})
        contents = [dict(content) for content in pieces(item, "content")]
        index = chunk.get("content_index")
        index = index if isinstance(index, int) else max(len(contents) - 1, 0)
        while len(contents) <= index:
            contents.append({"type": "output_text" if field == "text" else field})
        contents[index][field] = (contents[index].get(field) or "") + (chunk.get("delta") or "")
        item["content"] = contents
