"""The wire formats that the scripted model speaks: OpenAI's chat and responses, Ollama's chat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.frameworks.script import Asked, Said

INPUT_TOKENS: Final = 11
OUTPUT_TOKENS: Final = 7
_USAGE: Final = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _prompt(messages: list[dict[str, Any]]) -> str:
    users = (one for one in reversed(messages) if one.get("role") in {"user", "tool-response"})
    return _text(next(users, {}).get("content"))


class Chat:
    """``/v1/chat/completions``."""

    kind = "text/event-stream"

    def __init__(self, body: dict[str, Any], number: int) -> None:
        self.body = body
        self.id = f"chatcmpl-{number:04}"
        options = body.get("stream_options") or {}
        self.streamed = bool(body.get("stream"))
        self.counts = not self.streamed or bool(options.get("include_usage"))

    def asked(self) -> Asked:
        body = self.body
        functions = [tool["function"] for tool in body.get("tools") or ()]
        form = body.get("response_format") or {}
        messages = body["messages"]
        return Asked(
            prompt=_prompt(messages),
            has_result=messages[-1]["role"] == "tool",
            tools={one["name"]: one.get("parameters") or {} for one in functions},
            schema=(form.get("json_schema") or {}).get("schema"),
        )

    def whole(self, said: Said) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        if said.calls:
            message["tool_calls"] = self._calls(said)
        choice = {"index": 0, "message": message, "finish_reason": self._reason(said)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": _USAGE}

    def pieces(self, said: Said) -> Iterator[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word} for word in _words(said.text)]
        for index, call in enumerate(self._calls(said)):
            named = call["function"]
            first = {**named, "arguments": ""}
            deltas.append({"tool_calls": [{**call, "index": index, "function": first}]})
            rest = {"index": index, "function": {"arguments": named["arguments"]}}
            deltas.append({"tool_calls": [rest]})
        head = self._head("chat.completion.chunk")
        for delta in deltas:
            yield _event({**head, "choices": [_choice(delta, None)]})
        yield _event({**head, "choices": [_choice({}, self._reason(said))]})
        if self.counts:
            yield _event({**head, "choices": [], "usage": _USAGE})
        yield b"data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": 1, "model": self.body["model"]}

    def _calls(self, said: Said) -> list[dict[str, Any]]:
        return [
            {
                "id": f"call_{self.id}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(said.calls)
        ]

    def _reason(self, said: Said) -> str:
        return "tool_calls" if said.calls else "stop"


class Responses:
    """``/v1/responses``."""

    kind = "text/event-stream"
    counts = True

    def __init__(self, body: dict[str, Any], number: int) -> None:
        self.body = body
        self.id = f"resp_{number:04}"
        self.streamed = bool(body.get("stream"))

    def asked(self) -> Asked:
        items = self.body["input"]
        if isinstance(items, str):
            items = [{"role": "user", "content": items}]
        tools = self.body.get("tools") or ()
        form = (self.body.get("text") or {}).get("format") or {}
        return Asked(
            prompt=_prompt(items),
            has_result=items[-1].get("type") == "function_call_output",
            tools={one["name"]: one.get("parameters") or {} for one in tools},
            schema=form.get("schema"),
        )

    def whole(self, said: Said) -> dict[str, Any]:
        none = ("error", "incomplete_details", "instructions", "metadata", "temperature", "top_p")
        return {
            **dict.fromkeys(none),
            "id": self.id,
            "object": "response",
            "created_at": 1,
            "model": self.body["model"],
            "status": "completed",
            "output": self._items(said),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": INPUT_TOKENS,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": OUTPUT_TOKENS,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
            },
        }

    def pieces(self, said: Said) -> Iterator[bytes]:
        whole = self.whole(said)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
        for index, item in enumerate(self._items(said)):
            here = {"output_index": index}
            events.append({"type": "response.output_item.added", "item": item, **here})
            if item["type"] == "message":
                here |= {"item_id": item["id"], "content_index": 0, "logprobs": []}
                events += [
                    {"type": "response.output_text.delta", "delta": word, **here}
                    for word in _words(said.text)
                ]
            events.append(
                {"type": "response.output_item.done", "item": item, "output_index": index}
            )
        events.append({"type": "response.completed", "response": whole})
        for number, event in enumerate(events):
            data = json.dumps({"sequence_number": number, **event})
            yield f"event: {event['type']}\ndata: {data}\n\n".encode()

    def _items(self, said: Said) -> list[dict[str, Any]]:
        if said.calls:
            return [
                {
                    "type": "function_call",
                    "id": f"fc_{self.id}_{index}",
                    "call_id": f"call_{self.id}_{index}",
                    "name": name,
                    "arguments": arguments,
                    "status": "completed",
                }
                for index, (name, arguments) in enumerate(said.calls)
            ]
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        return [
            {
                "type": "message",
                "id": f"msg_{self.id}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        ]


class Ollama:
    """``/api/chat``."""

    kind = "application/x-ndjson"
    counts = True

    def __init__(self, body: dict[str, Any], number: int) -> None:
        self.body = body
        self.id = f"2024-05-01T00:00:{number:02}Z"  # the only thing that tells answers apart
        self.streamed = body.get("stream", True)

    def asked(self) -> Asked:
        functions = [tool["function"] for tool in self.body.get("tools") or ()]
        form = self.body.get("format")
        messages = self.body["messages"]
        return Asked(
            prompt=_prompt(messages),
            has_result=messages[-1]["role"] == "tool",
            tools={one["name"]: one.get("parameters") or {} for one in functions},
            schema=form if isinstance(form, dict) else None,
        )

    def whole(self, said: Said) -> dict[str, Any]:
        return self._line(said.text, said.calls, done=True)

    def pieces(self, said: Said) -> Iterator[bytes]:
        lines = [self._line(word, []) for word in _words(said.text)]
        lines += [self._line("", [call]) for call in said.calls]
        for line in [*lines, self._line("", [], done=True)]:
            yield json.dumps(line).encode() + b"\n"

    def _line(
        self, text: str, calls: list[tuple[str, str]], *, done: bool = False
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            message["tool_calls"] = [
                {"function": {"name": name, "arguments": json.loads(arguments)}}
                for name, arguments in calls
            ]
        line = {"model": self.body["model"], "created_at": self.id, "message": message}
        ended = {
            "done_reason": "stop",
            "prompt_eval_count": INPUT_TOKENS,
            "eval_count": OUTPUT_TOKENS,
        }
        return {**line, "done": done, **(ended if done else {})}


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", " \n").split("\n") if word]


def _choice(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": reason}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
