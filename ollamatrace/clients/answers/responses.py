"""OpenAI responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ollamatrace.clients.answers.answer import Channel, Facts, Merger, part, pieces, text_of
from ollamatrace.clients.answers.openai_usage import input_usage

_FINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_STATUSES: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
_FIELDS: Final = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
    "response.code_interpreter_call_code.delta": ("code_interpreter_call", "code"),
}
"""Deltas of a text that an item has: the item's type, and the text's name."""
_PARTS: Final = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
"""Deltas of a part of an item: the item's type, its list, the part's type, and the text's name."""


class ResponsesAnswer:
    """``responses.create`` and ``parse``."""

    def parts_in(self, given: Mapping[str, Any]) -> Callable[[Any], bool]:  # noqa: ARG002
        """Items, parts of them, and the response so far."""
        return _has_more_than_delta

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _ResponsesMerger()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer, merged or whole."""
        status = text_of(outputs.get("status"))
        return Facts(
            model=text_of(outputs.get("model")),
            usage=input_usage(outputs),
            finish_reason=text_of(part(outputs, "incomplete_details").get("reason"))
            or (status if status in _STATUSES else None),
            # One in the background goes on without the program, which comes back for it.
            complete=bool(outputs.get("background")) or status != "in_progress",
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
        elif kind in _FIELDS:
            item_type, field = _FIELDS[kind]
            item = self._item(chunk, item_type)
            item[field] = (item.get(field) or "") + (chunk.get("delta") or "")
        elif kind in _PARTS:
            self._add_part(chunk, *_PARTS[kind])
        elif kind == "error":
            self._response["error"] = {name: chunk.get(name) for name in ("code", "message")}
        if not kind.endswith(".delta") or not text_of(chunk.get("delta")):
            return None
        return "thinking" if "reasoning" in kind else "answer"

    def result(self) -> dict[str, Any]:
        if not self._items or (self.complete and self._response.get("output")):
            return self._response
        output = [item for _, item in sorted(self._items.items())]
        return {**self._response, "output": output}

    def _item(self, chunk: Mapping[str, Any], item_type: str) -> dict[str, Any]:
        return self._items.setdefault(self._index(chunk), {"type": item_type})

    def _index(self, chunk: Mapping[str, Any]) -> int:
        # llama.cpp leaves the index out; its items come one after the other.
        index = chunk.get("output_index")
        if isinstance(index, int):
            return index
        new = chunk.get("type") == "response.output_item.added"
        return len(self._items) if new else max(len(self._items) - 1, 0)

    def _add_part(
        self, chunk: Mapping[str, Any], item_type: str, name: str, part_type: str, field: str
    ) -> None:
        item = self._item(chunk, item_type)
        parts = [dict(one) for one in pieces(item, name)]
        index = chunk.get("summary_index" if name == "summary" else "content_index")
        index = index if isinstance(index, int) else max(len(parts) - 1, 0)
        while len(parts) <= index:
            parts.append({"type": part_type})
        parts[index][field] = (parts[index].get(field) or "") + (chunk.get("delta") or "")
        item[name] = parts


def _has_more_than_delta(chunk: Any) -> bool:
    kind = getattr(chunk, "type", None)
    return isinstance(kind, str) and not kind.endswith(".delta")
