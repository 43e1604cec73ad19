"""What was said in a span: its inputs and outputs as labelled rows, of whichever API it is."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list
from ollamatrace.records.view import pictures, readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ollamatrace.records import SpanRecord

MODEL_KINDS: Final = frozenset({"CHAT_MODEL", "LLM", "EMBEDDING"})
"""Kinds of spans that are calls of a model; only these carry tokens of their own."""

_FLOAT_BYTES: Final = 4
_SAID: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
_REASONING: Final = ("thinking", "reasoning_content", "reasoning")


Tone = Literal["said", "value", "aside"]
"""Part of a conversation, a value that somebody named, or what matters less than both."""


class Row(NamedTuple):
    """A label (a role, or the name of a value), the text and the pictures that belong to it.

    `pictures` are ``data:`` URLs of those that are small; `text` has a placeholder for each.
    """

    label: str
    text: str
    tone: Tone = "said"
    pictures: tuple[str, ...] = ()


def inputs(span: SpanRecord) -> list[Row]:
    """What the span was given: the conversation first, then the other arguments."""
    value = span.inputs
    if value is None:
        return []
    if not is_dict(value):
        return [Row("input", readable.text(value), "value")]
    fields = dict(value)
    called = span.kind in MODEL_KINDS or is_list(fields.get("messages"))
    asked = list(_asked(fields)) if called else []
    tone: Tone = "aside" if called else "value"
    return asked + [Row(name, readable.text(item), tone) for name, item in fields.items()]


def outputs(span: SpanRecord) -> list[Row]:
    """What the span gave back."""
    value = span.outputs
    if value is None:
        return []
    if not is_dict(value):
        return [Row("output", readable.text(value), "value")]
    fields = value
    rows = list(_answered(fields))
    if rows:
        return rows
    if span.kind in MODEL_KINDS:
        return [Row("output", readable.text(fields), "value")]
    return [Row(name, readable.text(item), "value") for name, item in fields.items()]


def question(span: SpanRecord) -> str | None:
    """The first thing that a user said in the span; ``None`` where nobody did."""
    if span.kind not in MODEL_KINDS:
        return None
    value = span.inputs
    rows = _asked(dict(value)) if is_dict(value) else inputs(span)
    return next((row.text for row in rows if row.label in {"user", "input"}), None)


def answer(span: SpanRecord) -> str:
    """What came back, for a preview: the answer, else the tool calls, the vectors, the thinking."""
    rows = [row for row in outputs(span) if row.text.strip()]
    for wanted in ("assistant", "tool call", "embeddings", "thinking"):
        if said := [row.text for row in rows if row.label == wanted]:
            return " ".join(said)
    return "; ".join(row.text for row in rows)


def _asked(fields: dict[str, Any]) -> Iterator[Row]:
    """Rows of the arguments that are known, which are taken out of `fields`."""
    fields.pop("model", None)  # shown with the span
    for name in ("system", "instructions"):
        if isinstance(fields.get(name), str):
            yield Row("system", str(fields.pop(name)))
    messages = fields.pop("messages", None)
    for message in as_list(messages):
        yield from _message(message)
    if isinstance(fields.get("prompt"), str):
        yield Row("user", str(fields.pop("prompt")))
    for item in _listed(fields.pop("input", None)):
        yield from _message(item) if is_dict(item) else [Row("input", readable.text(item))]
    for picture in as_list(fields.pop("images", None)):
        yield _shown("user", picture)
    offered = [_tool(tool) for tool in as_list(fields.pop("tools", None))]
    if offered:
        yield Row("tools", "\n".join(offered), "aside")


def _answered(fields: dict[str, Any]) -> Iterator[Row]:
    for choice in map(as_dict, as_list(fields.get("choices"))):
        yield from _message(choice.get("message") or {"content": choice.get("text")}, "assistant")
    if is_dict(fields.get("message")):
        yield from _message(fields["message"], "assistant")
    if isinstance(fields.get("response"), str):
        yield from _message({**fields, "content": fields["response"]}, "assistant")
    for item in as_list(fields.get("output")):
        yield from _message(item, "assistant")
    embeddings = fields.get("embeddings", fields.get("embedding"))
    if is_list(embeddings):
        vectors = embeddings if embeddings and is_list(embeddings[0]) else [embeddings]
        yield Row("embeddings", ", ".join(map(_vector, vectors)))
    data = [as_dict(item) for item in as_list(fields.get("data"))]
    if vectors := [item["embedding"] for item in data if "embedding" in item]:
        yield Row("embeddings", ", ".join(map(_vector, vectors)))
    for item in data:
        if picture := item.get("b64_json") or (item.get("url") if not vectors else None):
            yield _shown("image", picture)


def _message(value: Any, role: str = "user") -> Iterator[Row]:
    """Rows of one message, of chat as of the Responses API."""
    if not is_dict(value):
        yield Row(role, readable.text(value))
        return
    kind = value.get("type")
    if kind == "reasoning":
        yield Row("thinking", _content(value.get("summary") or value.get("content")))
    elif kind in {"function_call", "custom_tool_call"}:
        yield _call({"function": value})
    elif kind in {"function_call_output", "custom_tool_call_output"}:
        yield Row("tool", _content(value.get("output")))
    else:
        yield from _chat(value, str(value.get("role") or role))


def _chat(message: dict[str, Any], role: str) -> Iterator[Row]:
    thought = (message[name] for name in _REASONING if isinstance(message.get(name), str))
    if thinking := next(thought, ""):
        yield Row("thinking", thinking)
    calls = as_list(message.get("tool_calls"))
    told = _content(message.get("content"))
    if told.strip() or not calls:
        yield Row(role, told, pictures=_pictures(message.get("content")))
    if message.get("refusal"):
        yield Row("refusal", readable.text(message["refusal"]))
    for picture in as_list(message.get("images")):
        yield _shown(role, picture)
    for call in calls:
        yield _call(call)


def _content(value: Any) -> str:
    if value is None:
        return ""
    if not is_list(value):
        return readable.text(value)
    return "\n".join(_part(part) for part in value)


def _part(value: Any) -> str:
    if not is_dict(value):
        return readable.text(value)
    part = value
    if part.get("type") in _SAID:
        return readable.text(part.get("text"))
    if "image_url" in part:
        link = part["image_url"]
        return _picture(as_dict(link).get("url", link))
    return readable.brief(part)


def _picture(value: Any) -> str:
    link = _link(value)
    return readable.image(link) if isinstance(link, str) else "<image>"


def _link(value: Any) -> Any:
    return as_dict(value).get("value", value)  # Ollama's own Image has a value


def _shown(label: str, picture: Any) -> Row:
    url = pictures.source(_link(picture))
    return Row(label, _picture(picture), pictures=(url,) if url else ())


def _pictures(content: Any) -> tuple[str, ...]:
    links = (as_dict(part).get("image_url") for part in as_list(content))
    found = (pictures.source(_link(as_dict(link).get("url", link))) for link in links)
    return tuple(url for url in found if url)


def _call(value: Any) -> Row:
    call = as_dict(value)
    function = as_dict(call.get("function") or call.get("custom"))
    if "name" not in function:
        return Row("tool call", readable.brief(value))
    given = function.get("arguments", function.get("input"))
    return Row("tool call", f"{function['name']}({readable.arguments(given)})")


def _tool(value: Any) -> str:
    tool = as_dict(value)
    function = as_dict(tool.get("function")) or tool
    if "name" not in function:
        return readable.brief(value)
    properties = as_dict(as_dict(function.get("parameters")).get("properties"))
    about = f": {function['description']}" if function.get("description") else ""
    return f"{function['name']}({', '.join(properties)}){about}"


def _vector(value: Any) -> str:
    if isinstance(value, str):  # base64 of 32-bit floats, as the openai package asks for them
        try:
            return f"[{len(base64.b64decode(value)) // _FLOAT_BYTES} numbers]"
        except ValueError:
            return readable.brief(value)
    return f"[{len(value)} numbers]" if is_list(value) else "[]"


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if is_list(value) else [value]
