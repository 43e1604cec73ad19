"""The beginnings of inputs and outputs that MLflow shows in the list of traces, by its own rule."""

from __future__ import annotations

from typing import Any, Final

from ollamatrace.destinations.mlflow.values import json_text
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

_MAX_PREVIEW: Final = 1000
_MORE: Final = "..."
_ROLES: Final = {"human": "user", "ai": "assistant"}
"""What LangChain calls them."""


def preview(value: Any, role: str) -> str:
    """The text of the last message of `role`, else of the last one, else the JSON.

    Args:
        value: Inputs or outputs.
        role: ``user`` for inputs, ``assistant`` for outputs.
    """
    text = _text_of(_last(_messages(value), role))
    return cut(text, _MAX_PREVIEW) if text else head(value, _MAX_PREVIEW)


def head(value: Any, limit: int) -> str:
    """The JSON of `value`, cut to `limit` characters."""
    return cut(json_text(_begun(value, [limit + 1])), limit)


def cut(text: str, limit: int) -> str:
    """`text`, or its beginning, without zero bytes: PostgreSQL does not take them."""
    whole = text if len(text) <= limit else text[: limit - len(_MORE)] + _MORE
    return whole.replace("\0", "\ufffd")


def _begun(value: Any, room: list[int]) -> Any:
    """`value` without what comes after the first characters of its JSON, as many as is `room`."""
    if isinstance(value, str):
        text = value[: max(room[0], 0)]
        room[0] -= len(text) + 2
        return text
    room[0] -= 2
    if is_dict(value):
        fields: dict[str, Any] = {}
        for key, item in value.items():
            if room[0] <= 0:
                break
            name = _begun(key, room)
            fields[name] = _begun(item, room)
        return fields
    if is_list(value):
        items: list[Any] = []
        for item in value:
            if room[0] <= 0:
                break
            items.append(_begun(item, room))
        return items
    room[0] += 1
    return value


def _messages(value: Any) -> list[dict[str, Any]]:
    """The messages in a request or an answer of OpenAI's or LangChain's."""
    if is_dict(value) and "role" not in value and (alone := _message(value)):
        return [alone]
    while is_dict(value):
        if is_list(messages := value.get("messages")) and messages:
            return _only_messages(messages)
        message = as_dict(next(iter(as_list(value.get("choices"))), None)).get("message")
        if found := _only_messages([message]):
            return found
        for name in ("input", "output"):
            if is_list(items := value.get(name)) and items:
                return _only_messages(items)
        value = value.get("request")
    return []


def _only_messages(items: list[Any]) -> list[dict[str, Any]]:
    return [message for message in map(_message, items) if message]


def _message(item: Any) -> dict[str, Any]:
    """A message of OpenAI's, or LangChain's: they have a type, or are pairs of role and text."""
    match item:
        case {"role": _, "content": _}:
            return as_dict(item)
        case {"type": "human" | "ai" as kind, "content": content}:
            return {"role": _ROLES[kind], "content": content}
        case ["human" | "user" | "ai" | "assistant" | "system" as role, str(content)]:
            return {"role": _ROLES.get(role, role), "content": content}
        case _:
            return {}


def _last(messages: list[dict[str, Any]], role: str) -> dict[str, Any]:
    fitting = [message for message in messages if message.get("role") == role]
    return (fitting or messages or [{}])[-1]


def _text_of(message: dict[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        return content
    for part in as_list(content):
        if isinstance(part, str):
            return part
        if as_dict(part).get("type") in {"text", "output_text"}:
            text = part.get("text")
            return text if isinstance(text, str) else None
    return None
