"""Large values serialised in pieces, between which the program can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from ollamatrace.records import Content, SpanRecord
from ollamatrace.records.shapes import is_dict, is_list

LARGE: Final = 32 * 1024
"""Characters above which a value is serialised in pieces: one step would hold the GIL."""
_SLICE: Final = 16 * 1024
_SHORT: Final = 256
NOTED: Final = frozenset({"finish_reason", "model_asked"})
"""What the recorder of a call notes among its attributes: these go under their standard names."""


def is_small(record: SpanRecord) -> bool:
    """Whether no value of a span is large; quick to tell of most calls of a model."""
    given = _size(record.input_content) + _size(record.output_content)
    return given < _SLICE and all(map(_is_short, record.attributes.values()))


def _is_short(value: Any) -> bool:
    return len(value) < _SHORT if type(value) is str else isinstance(value, int | float)


def _size(content: Content) -> int:
    return len(content.json) if content.has_json else _SLICE


def is_large(value: Any) -> bool:
    """Whether the JSON of a plain value is longer than one step may take, by a rough count."""
    size = 0
    nodes = [value]
    for node in nodes:
        kind = type(node)  # pyright: ignore[reportUnknownVariableType]  anything
        if kind is str:
            size += 4 + len(node)
        elif kind is dict:
            nodes += node.values()
            size += 4 + 8 * len(node)
        elif kind is list:
            if len(node) > LARGE:
                return True
            nodes += node
            size += 4
        else:
            size += 4
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
