"""Arguments of Ollama's client in the form in which it sends them."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from ollamatrace.guard import shielded

_MAX_PATH: Final = 4096
_definitions: Final[WeakKeyDictionary[Callable[..., Any], Any]] = WeakKeyDictionary()


def is_as_sent(given: Mapping[str, Any]) -> bool:
    """Whether `as_sent` has nothing to do."""
    if "tools" in given or "images" in given:
        return False
    messages = given.get("messages")
    if messages is not None:
        if type(messages) is not list:
            return False
        for message in messages:
            if "images" in message if type(message) is dict else isinstance(message, Mapping):
                return False
    return True


@shielded
def as_sent(given: dict[str, Any]) -> None:
    """Put what is sent into `given`, a copy of a call's arguments.

    Functions that are tools become their definitions, and the paths of images the images: the
    program may change or remove a file right after the call.
    """
    if "tools" in given:
        given["tools"] = _tools(given["tools"])
    if given.get("images"):
        given["images"] = _images(given["images"])
    messages = given.get("messages")
    if isinstance(messages, list | tuple):
        for at, message in enumerate(messages):
            if isinstance(message, Mapping) and message.get("images"):
                if given["messages"] is messages:
                    given["messages"] = list(messages)
                given["messages"][at] = {**message, "images": _images(message["images"])}


def _tools(tools: Any) -> Any:
    """Tools, functions among them as the definitions that are sent for them.

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
    try:
        definition = _definitions.get(function)
    except TypeError:  # an object that cannot be remembered
        return convert(function).model_dump(exclude_none=True)
    if definition is None:
        definition = _definitions[function] = convert(function).model_dump(exclude_none=True)
    return definition


def _images(images: Any) -> Any:
    return [_image(image) for image in images] if isinstance(images, list | tuple) else images


def _image(image: Any) -> Any:
    """An image: what is in the file if it is a path, as the client reads it; else as it is."""
    is_path = isinstance(image, PathLike) or (isinstance(image, str) and len(image) < _MAX_PATH)
    if not is_path:
        return image
    try:
        path = Path(image)
        # A pipe can be read only once, and that is the client's to do.
        return path.read_bytes() if path.is_file() else image
    except (OSError, ValueError):  # base64 is no path, nor is a name with a NUL
        return image
