"""OpenAI chat completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from ollamatrace.clients.answers.answer import (
    Channel,
    Facts,
    Merger,
    index_of,
    part,
    pieces,
    text_of,
)
from ollamatrace.clients.answers.grow import grown
from ollamatrace.clients.answers.openai_usage import is_ollama, prompt_usage
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

_OF_CHUNKS_ONLY: Final = frozenset({"choices", "object", "obfuscation"})
_BRING_TOOLS: Final = frozenset({"tools", "extra_body"})


class ChatAnswer:
    """``chat.completions.create`` and ``parse``."""

    def parts_in(self, given: Mapping[str, Any]) -> Callable[[Any], bool] | None:
        """Pieces of tool calls, where the model has tools: looking for them takes a while."""
        return None if _BRING_TOOLS.isdisjoint(given) else _has_tool_calls

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        return _ChatMerger()

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer, merged or whole."""
        return choice_facts(outputs)


def choice_facts(outputs: Mapping[str, Any]) -> Facts:
    """What answers with `choices` say, chat completions and completions alike."""
    reasons = [text_of(choice.get("finish_reason")) for choice in pieces(outputs, "choices")]
    return Facts(
        model=text_of(outputs.get("model")),
        usage=prompt_usage(outputs),
        finish_reason=next((reason for reason in reasons if reason), None),
        # What has no choices is no answer: something that a library put in its place.
        complete="choices" not in outputs or (bool(reasons) and all(reasons)),
        from_ollama=is_ollama(outputs),
    )


class _ChatMerger:
    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    def add(self, chunk: Mapping[str, Any]) -> Channel | None:
        for key, value in chunk.items():
            if value is not None and key not in _OF_CHUNKS_ONLY:
                self._top[key] = value
        channel: Channel | None = None
        for choice in pieces(chunk, "choices"):
            index = index_of(choice)
            state = self._choices.get(index)
            if state is None:
                state = self._choices[index] = _Choice()
            channel = state.add(choice) or channel
        return channel

    @property
    def complete(self) -> bool:
        return bool(self._choices) and all(c.finish_reason for c in self._choices.values())

    def result(self) -> dict[str, Any]:
        choices = [choice.result(index) for index, choice in sorted(self._choices.items())]
        merged = {**self._top, "object": "chat.completion", "choices": choices}
        return _with_all_fields(merged)


class _Choice:
    """One choice: texts by field of the delta, tool calls by index, log probabilities."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._role = "assistant"
        self._texts: dict[str, list[str]] = {}
        self._other: dict[str, Any] = {}
        self._tools: list[dict[str, Any]] = []
        self._open: dict[int | str, dict[str, Any]] = {}
        """The tool calls to which pieces come, by what these pieces are counted by."""
        self._logprobs: dict[str, list[Any]] = {}
        self._beside: dict[str, Any] = {}

    def add(self, choice: Mapping[str, Any]) -> Channel | None:
        delta: dict[str, Any] = {}
        for key, value in choice.items():
            if value is None:
                continue
            if key == "delta":
                delta = as_dict(value)
            elif key == "finish_reason":
                self.finish_reason = text_of(value) or self.finish_reason
            elif key == "logprobs":
                for name, values in as_dict(value).items():
                    if is_list(values):
                        self._logprobs.setdefault(name, []).extend(values)
            elif key != "index":
                self._beside[key] = value
        return self._add_delta(delta)

    def _add_delta(self, delta: dict[str, Any]) -> Channel | None:
        channel: Channel | None = None
        for key, value in delta.items():
            if value is None:
                continue
            if key == "role":
                self._role = value or self._role
            elif key == "tool_calls":
                for call in pieces({key: value}, key):
                    self._add_tool(call)
                    channel = "answer"
            elif isinstance(value, str):
                self._texts.setdefault(key, []).append(value)
                if value and channel is None:
                    # Servers name the thinking differently (reasoning, reasoning_content).
                    channel = "answer" if key in {"content", "refusal"} else "thinking"
            else:
                self._other[key] = grown(self._other.get(key), value)
                channel = channel or "answer"
        return channel

    def _add_tool(self, call: Mapping[str, Any]) -> None:
        merged = self._tool(call)
        for name, value in call.items():
            if is_dict(value):
                inner = merged.setdefault(name, {})
                for field, text in value.items():
                    if field in {"arguments", "input"}:
                        # Some servers send the arguments as an object where a text belongs.
                        more = text if isinstance(text, str | None) else orjson.dumps(text).decode()
                        inner[field] = inner.get(field, "") + (more or "")
                    elif text is not None:
                        inner.setdefault(field, text)
            elif name != "index" and value is not None:
                merged.setdefault(name, value)

    def _tool(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """The tool call that a piece belongs to; a new one if it begins one."""
        index, own = call.get("index"), text_of(call.get("id"))
        # Some servers send whole calls without counting them, or count them all as the first.
        key = index if isinstance(index, int) else own or len(self._tools)
        merged = self._open.get(key)
        is_another = merged is not None and own is not None and own != merged.get("id", own)
        if merged is None or (is_another and part(call, "function").get("name")):
            merged = self._open[key] = {}
            self._tools.append(merged)
        return merged

    def result(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {"content": None, "role": self._role, **self._other}
        for key, texts in self._texts.items():
            text = "".join(texts)
            # Where text comes beside other parts (Mistral's thinking), it is a part itself.
            before = as_list(message.get(key))
            message[key] = [*before, {"type": "text", "text": text}] if before else text
        if self._tools:
            message["tool_calls"] = [{"type": "function", **call} for call in self._tools]
        return {
            **self._beside,
            "finish_reason": self.finish_reason,
            "index": index,
            "logprobs": self._logprobs or None,
            "message": message,
        }


def _with_all_fields(merged: dict[str, Any]) -> dict[str, Any]:
    """Bring a merged answer into the very shape that the SDK gives without streaming."""
    try:
        from openai.types.chat import ChatCompletion
    except ImportError:
        return merged
    return ChatCompletion.construct(**merged).model_dump(warnings=False)


def _has_tool_calls(chunk: Any) -> bool:
    try:
        return bool(chunk.choices[0].delta.tool_calls)
    except Exception:  # noqa: BLE001  a server may send anything, and bytes come here, too
        return False
