"""What a program sends to identify itself is no part of what it asks, and is never recorded."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SECRET: Final = frozenset({"apikey", "xapikey", "authorization", "proxyauthorization"})
_ADDED: Final = ("extra_body", "extra_query")
MAY_HIDE: Final = frozenset({*_ADDED, "tools"})
"""Arguments in which there may be something to hide."""
_OF_SERVERS: Final = frozenset({"headers", "authorization"})
"""What a tool that is an MCP server has to let it in."""


def hide_secrets(given: dict[str, Any], *, everywhere: bool = False) -> None:
    """Take keys, and what else lets somebody in, out of `given`, a copy of a call's arguments.

    Args:
        given: The arguments.
        everywhere: Whether they are a body, which may have keys itself.
    """
    if MAY_HIDE.isdisjoint(given) and not everywhere:
        return  # as mostly, and at once
    for name in _ADDED:
        if isinstance(given.get(name), Mapping):
            given[name] = _without(given[name])
    tools = given.get("tools")
    if isinstance(tools, list | tuple) and any(map(_is_server, tools)):
        given["tools"] = [_let_out(tool) if _is_server(tool) else tool for tool in tools]
    if everywhere:
        for name in [name for name in given if _is_secret(name)]:
            del given[name]


def _without(added: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in added.items() if not _is_secret(name)}


def _is_secret(name: Any) -> bool:
    return isinstance(name, str) and name.lower().replace("-", "").replace("_", "") in _SECRET


def _is_server(tool: Any) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") == "mcp"


def _let_out(tool: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in tool.items() if name not in _OF_SERVERS}
