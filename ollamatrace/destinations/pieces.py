"""Large values serialised in pieces, between which the program can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from ollamatrace.records.shapes import is_dict, is_list

LARGE: Final = 32 * 1024
"""Characters above which a value is serialised in pieces: one step would hold the GIL."""
_SLICE: Final = 16 * 1024


def is_large(value: Any) -> bool:
    """Whether the JSON of a plain value is longer than one step may take, by a rough count."""
    size = 0
    nodes = [value]
    for node in nodes:
        size += 4
        if isinstance(node, str):
            size += len(node)
        elif is_dict(node):
            nodes.extend(node.values())
            size += 8 * len(node)
        elif is_list(node):
            if len(node) > LARGE:
                return True
            nodes.extend(node)
        if size > LARGE:
            return True
    return False


def pieces(value: Any, json_text: Callable[[Any], str]) -> Iterator[str]:
    """The JSON text of `value` in pieces.

    Args:
        value: A plain value.
        json_text: Makes the text of a small one.
    """
    if isinstance(value, str) and len(value) > _SLICE:
        yield '"'
        for start in range(0, len(value), _SLICE):
            yield json_text(value[start : start + _SLICE])[1:-1]
        yield '"'
    elif is_dict(value) and is_large(value):
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield (", " if index else "") + json_text(key) + ": "
            yield from pieces(item, json_text)
        yield "}"
    elif is_list(value) and is_large(value):
        yield "["
        for index, item in enumerate(value):
            yield ", " if index else ""
            yield from pieces(item, json_text)
        yield "]"
    else:
        yield json_text(value)
