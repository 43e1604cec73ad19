"""What a call of a model was told and what it answered, whichever client made it."""

# `dict[str, Any]`, which pyright would rather have as a factory, takes five times as long to call.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ollamatrace.destinations.otlp.parts import (
    Message,
    Part,
    content_parts,
    item_message,
    media_part,
    message_of,
)
from ollamatrace.records import SpanRecord
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

_FINISHED: Final = {"tool_calls": "tool_call", "function_call": "tool_call"}
"""Reasons that the conventions call otherwise."""


@dataclass(slots=True)
class Conversation:
    """One call of a model.

    Attributes:
        system: Instructions that were given apart from the messages.
        asked: The messages that were sent.
        answered: The messages that came back: one for each choice, with its ``finish_reason``.
        reasons: Why the model stopped, for each choice, in the server's words, if it says.
        tools: The tools that it could call, as they were given.
        asked_in: The fields of the inputs that all this is from.
        answered_in: Those of the outputs.
    """

    system: list[Part] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)
    asked_in: frozenset[str] = frozenset()
    answered_in: frozenset[str] = frozenset()


def conversation(record: SpanRecord) -> Conversation:
    """Read the conversation of a call; an embedding has none."""
    made = Conversation()
    if record.kind == "EMBEDDING":
        return made
    inputs, outputs = record.inputs, record.outputs
    if is_dict(inputs):
        _read_inputs(made, inputs)
    if is_dict(outputs):
        _read_outputs(made, outputs)
    if not made.reasons:
        made.reasons = [record.attributes.get("finish_reason")]
    for message, given in zip(made.answered, made.reasons, strict=False):
        # A message without one is not valid: how the call ended is the nearest there is.
        reason = given or record.end_reason
        message["finish_reason"] = _FINISHED.get(reason, reason)
    return made


def _read_inputs(made: Conversation, inputs: dict[str, Any]) -> None:
    if is_list(tools := inputs.get("tools")):
        made.tools = tools
        made.asked_in = frozenset({"tools"})
    if is_list(messages := inputs.get("messages")):
        made.asked_in |= {"messages"}
        made.asked = [message_of(message) for message in messages]
    elif _is_text(prompt := inputs.get("prompt")):
        made.asked_in |= {"prompt", "system", "images"}
        made.system = list(content_parts(inputs.get("system")))
        parts = list(content_parts(prompt))
        parts += [media_part("image", image) for image in as_list(inputs.get("images"))]
        made.asked = [{"role": "user", "parts": parts}] if parts else []
    elif (given := inputs.get("input")) is not None:
        made.asked_in |= {"input", "instructions"}
        made.system = list(content_parts(inputs.get("instructions")))
        made.asked = [item_message(item) for item in (given if is_list(given) else [given])]


def _is_text(prompt: Any) -> bool:
    """Whether a prompt is one text or several: it may be the numbers of tokens."""
    texts = prompt if is_list(prompt) else [prompt]
    return all(isinstance(text, str) for text in texts)


def _read_outputs(made: Conversation, outputs: dict[str, Any]) -> None:
    if choices := [choice for choice in as_list(outputs.get("choices")) if is_dict(choice)]:
        made.answered_in = frozenset({"choices"})
        spoken = [choice.get("message", choice.get("text")) for choice in choices]
        made.answered = [message_of(message, "assistant") for message in spoken]
        made.reasons = [choice.get("finish_reason") for choice in choices]
    elif is_dict(outputs.get("message")):
        made.answered_in = frozenset({"message"})
        made.answered = [message_of(outputs["message"], "assistant")]
    elif isinstance(text := outputs.get("response"), str):
        made.answered_in = frozenset({"response", "thinking", "image"})
        images = [outputs["image"]] if outputs.get("image") else []
        said = {"content": text, "thinking": outputs.get("thinking"), "images": images}
        made.answered = [message_of(said, "assistant")]
    elif is_list(items := outputs.get("output")):
        made.answered_in = frozenset({"output"})
        parts = [part for item in items for part in item_message(item)["parts"]]
        made.answered = [{"role": "assistant", "parts": parts}]
    elif pictures := _pictures(outputs.get("data")):
        made.answered_in = frozenset({"data"})
        made.answered = [{"role": "assistant", "parts": pictures}]


def _pictures(data: Any) -> list[Part]:
    found: list[Part] = []
    for item in map(as_dict, as_list(data)):
        picture = item.get("b64_json") or item.get("url")
        if picture:
            found.append(media_part("image", picture, "image/png" if "b64_json" in item else None))
    return found
