"""Messages as OpenTelemetry's conventions have them, from those of OpenAI's and Ollama's clients.

A message is ``{"role", "parts"}``, maybe with ``name``; parts are ``text``, ``reasoning``,
``tool_call``, ``tool_call_response``, ``blob`` and ``uri``. What is none of them stays a part as it
was given. See https://github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from ollamatrace.destinations.image_type import image_type
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

Part = dict[str, Any]
Message = dict[str, Any]

_USUAL: Final = ("role", "content")
_TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
_THINKING: Final = ("thinking", "reasoning_content", "reasoning")
"""What servers call it, of which one is taken."""


def message_of(given: Any, role: str = "user") -> Message:
    """A message of either client; `role` where it does not say its own."""
    if not is_dict(given):
        return {"role": role, "parts": list(content_parts(given))}
    told, content = given.get("role"), given.get("content")
    said = len(given) - [*given.values()].count(None)
    role = str(told or role)
    is_result = role == "tool"
    if isinstance(content, str) and told and not is_result and said == len(_USUAL):
        return {"role": role, "parts": [text_part(content)] if content else []}
    parts = [_response(given.get("tool_call_id"), content)] if is_result else [*_parts(given)]
    made: Message = {"role": role, "parts": parts}
    if name := given.get("name") or given.get("tool_name"):
        made["name"] = name
    return made


def item_message(item: Any) -> Message:
    """A message from an item of the Responses API, which are more than messages."""
    kind = as_dict(item).get("type")
    if kind == "function_call":
        call = _tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        return {"role": "assistant", "parts": [call]}
    if kind == "function_call_output":
        return {"role": "tool", "parts": [_response(item.get("call_id"), item.get("output"))]}
    if kind == "reasoning":
        texts = as_list(item.get("summary")) + as_list(item.get("content"))
        parts = [_reasoning(as_dict(text).get("text")) for text in texts]
        return {"role": "assistant", "parts": parts}
    if kind not in (None, "message"):
        return {"role": "assistant", "parts": [item]}
    return message_of(item)


def content_parts(content: Any) -> Iterator[Part]:
    """The parts of what a message, a prompt or instructions hold."""
    if isinstance(content, str):
        if content:
            yield text_part(content)
    elif is_list(content):
        for part in content:
            yield _content_part(part) if is_dict(part) else text_part(str(part))
    elif content is not None:
        yield _content_part(content) if is_dict(content) else text_part(str(content))


def text_part(text: str) -> Part:
    """A text."""
    return {"type": "text", "content": text}


def media_part(modality: str, address: Any, mime_type: str | None = None) -> Part:
    """An image or a sound: what a data URL or bare base64 holds, else where it is."""
    text = address if isinstance(address, str) else str(address)
    header, mark, data = text.partition(";base64,")
    if mark and header.startswith("data:"):
        mime_type, text = header.removeprefix("data:"), data
    elif mime_type is None:
        mime_type = image_type(text)
    if mime_type is None:
        return {"type": "uri", "modality": modality, "uri": text}
    return {"type": "blob", "modality": modality, "mime_type": mime_type, "content": text}


def parsed(arguments: Any) -> Any:
    """The arguments of a tool call as an object, if they are one."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def _parts(message: dict[str, Any]) -> Iterator[Part]:
    thinking = next((text for name in _THINKING if (text := message.get(name))), None)
    if thinking:
        yield _reasoning(thinking)
    yield from content_parts(message.get("content"))
    if message.get("refusal"):
        yield {"type": "refusal", "content": message["refusal"]}
    for image in as_list(message.get("images")):
        yield media_part("image", image)
    if is_dict(audio := message.get("audio")):
        yield from _spoken(audio)
    calls = as_list(message.get("tool_calls"))
    if is_dict(message.get("function_call")):
        calls = [*calls, {"function": message["function_call"]}]
    for call in map(as_dict, calls):
        function = as_dict(call.get("function") or call.get("custom"))
        arguments = function.get("arguments", function.get("input"))
        yield _tool_call(call.get("id"), function.get("name"), arguments)


def _content_part(part: dict[str, Any]) -> Part:
    kind = part.get("type")
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return text_part(part["text"])
    if kind == "refusal":
        return {"type": "refusal", "content": part.get("refusal")}
    if kind in ("image_url", "input_image") and (image := part.get("image_url")) is not None:
        return media_part("image", image.get("url") if is_dict(image) else image)
    if kind == "input_audio" and is_dict(audio := part.get("input_audio")):
        return media_part("audio", audio.get("data"), _sound(audio.get("format")))
    if kind in ("file", "input_file"):
        file = as_dict(part.get("file") or part)
        if file.get("file_id"):
            return {"type": "file", "modality": "document", "file_id": file["file_id"]}
        if address := file.get("file_data") or file.get("file_url"):
            return media_part("document", address)
    return part if kind else {"type": "unknown", **part}


def _spoken(audio: dict[str, Any]) -> Iterator[Part]:
    if audio.get("transcript"):
        yield text_part(audio["transcript"])
    if audio.get("data"):
        yield media_part("audio", audio["data"], _sound(audio.get("format")))


def _sound(form: Any) -> str:
    return "audio/mpeg" if form == "mp3" else f"audio/{form or 'wav'}"


def _reasoning(text: Any) -> Part:
    return {"type": "reasoning", "content": text}


def _tool_call(number: Any, name: Any, arguments: Any) -> Part:
    return {"type": "tool_call", "id": number, "name": name, "arguments": parsed(arguments)}


def _response(number: Any, response: Any) -> Part:
    return {"type": "tool_call_response", "id": number, "response": response}
