"""What the scripted model says: it follows from the request alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

QUESTION: Final = "What is the weather in Paris?"
BOTH: Final = "What is the weather in Paris and in London?"
FAILING: Final = "Please fail."
TEXT: Final = "It is sunny in Paris."
CITIES: Final = ("Paris", "London")

_TRANSFER: Final = "transfer_to_"
_FINAL: Final = "final_"
_OBSERVED: Final = "Observation:"


class RefusedError(Exception):
    """The model answers with status 400."""


@dataclass(frozen=True)
class Asked:
    """A request in terms that all wire formats have."""

    prompt: str
    """The last message of the user."""
    has_result: bool
    """Whether the conversation ends with what a tool gave."""
    tools: dict[str, dict[str, Any]]
    schema: dict[str, Any] | None


@dataclass(frozen=True)
class Said:
    """The answer: text, or calls of tools as name and JSON."""

    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)


def say(asked: Asked) -> Said:
    """Answer.

    Raises:
        RefusedError: the prompt wants that.
    """
    if FAILING in asked.prompt:
        raise RefusedError
    final = [name for name in asked.tools if name.startswith(_FINAL)]
    ordinary = [name for name in asked.tools if name not in final]
    ordinary.sort(key=lambda name: not name.startswith(_TRANSFER))
    has_result = asked.has_result or asked.prompt.startswith(_OBSERVED)
    chosen = (final if has_result else ordinary or final)[:1]
    if not chosen:
        schema = asked.schema
        return Said(TEXT if schema is None else json.dumps(example(schema, schema, CITIES[0])))
    schema = asked.tools[chosen[0]]
    cities = CITIES if BOTH in asked.prompt and not has_result else CITIES[:1]
    return Said("", [(chosen[0], json.dumps(example(schema, schema, city))) for city in cities])


def example(schema: dict[str, Any], root: dict[str, Any], text: str) -> Any:
    """A value that the JSON schema allows; every text in it is `text`."""
    if "$ref" in schema:
        return example(root["$defs"][schema["$ref"].rpartition("/")[2]], root, text)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], root, text)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        return {name: example(one, root, text) for name, one in schema["properties"].items()}
    kind = schema.get("type", "string")
    if kind == "array":
        return [example(schema.get("items", {}), root, text)]
    return {"integer": 3, "number": 2.5, "boolean": True, "object": {}}.get(kind, text)
