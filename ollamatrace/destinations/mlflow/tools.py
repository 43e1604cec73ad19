"""The tools of a call in the one form in which MLflow shows tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ollamatrace.records.shapes import as_list, is_dict

_BUILT_IN: Final = frozenset(
    {
        "code_interpreter",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "web_search_preview",
    }
)
# The fields that MLflow keeps, in its order.
_FUNCTION: Final = ("name", "description", "parameters", "strict")
_PARAMETERS: Final = ("properties", "type", "required", "additionalProperties")
_PROPERTY: Final = ("type", "description", "enum", "items")


def chat_tools(tools: Any) -> list[dict[str, Any]]:
    """The tools as functions; none if one of them is of a kind that MLflow does not know."""
    shown: list[dict[str, Any]] = []
    for tool in as_list(tools):
        if not is_dict(tool):
            return []
        kind = tool.get("type", "function")
        if kind == "function":
            shown.append(_function(tool.get("function", tool), tool))
        elif kind in _BUILT_IN:
            shown.append({"type": "function", "function": {"name": kind}})
        else:
            return []
    return shown


def _function(definition: Any, tool: Mapping[str, Any]) -> dict[str, Any]:
    function = _only(definition, _FUNCTION)
    if is_dict(function.get("parameters")):
        parameters = function["parameters"] = _only(function["parameters"], _PARAMETERS)
        if is_dict(parameters.get("properties")):
            properties = parameters["properties"]
            parameters["properties"] = {k: _property(item) for k, item in properties.items()}
    in_chat_form = "function" in tool
    named = {"type": "function"} if "type" in tool or not in_chat_form else {}
    return {**named, "function": function}


def _property(value: Any) -> dict[str, Any]:
    shown = _only(value, _PROPERTY)
    if is_dict(shown.get("items")):
        shown["items"] = _property(shown["items"])
    return shown


def _only(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value} if is_dict(value) else {}
