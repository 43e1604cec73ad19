"""Python functions as tools, in the form in which Ollama's client sends them."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from ollamatrace.guard import shielded

_definitions: Final[WeakKeyDictionary[Callable[..., Any], Any]] = WeakKeyDictionary()


def as_sent(tools: Any) -> Any:
    """The tools of a call, functions among them as the definitions that are sent for them.

    The client derives a definition anew at each call, in a third of a millisecond; here it is
    kept for as long as the function lives.
    """
    if not isinstance(tools, list | tuple) or not any(map(callable, tools)):
        return tools
    return [_definition(tool) or tool if callable(tool) else tool for tool in tools]


@shielded
def _definition(function: Callable[..., Any]) -> Any:
    # The client's own conversion, which it does not export; where it is not found, the function's
    # name is recorded instead.
    convert = getattr(sys.modules.get("ollama._utils"), "convert_function_to_tool", None)
    if convert is None:
        return None
    if function not in _definitions:
        _definitions[function] = convert(function).model_dump(exclude_none=True)
    return _definitions[function]
