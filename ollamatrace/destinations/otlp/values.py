"""Values that an attribute can have: texts, truth values, numbers, and lists of one of them.

Everything else is its JSON as a text: servers know no nested values, or show them badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, cast

import orjson

from ollamatrace.destinations.pieces import is_large, pieces
from ollamatrace.records import utf8
from ollamatrace.records.shapes import is_list

Value = str | bool | int | float | list[str] | list[bool] | list[int] | list[float]

_INT64: Final = 2**63


def attribute_value(value: Any, pause: Callable[[], None] | None) -> Value:
    """`value` as an attribute can have it.

    Args:
        value: A plain value that is not ``None``.
        pause: Given for a value that may be large: to be called between pieces of work.
    """
    if isinstance(value, str):
        return value if value.isascii() else utf8(value)
    if is_list(value):
        if value and (kind := _kind_of(value)) is not None:
            return [utf8(item) for item in value] if kind is str else value.copy()
    elif _is_simple(value):
        return cast("Value", value)
    if pause is None or not is_large(value):
        return _json(value)
    made: list[str] = []
    for piece in pieces(value, _json):
        made.append(piece)
        pause()
    return "".join(made)


def _kind_of(values: list[Any]) -> type[Any] | None:
    """The one simple type of all items; numbers of both kinds are none."""
    kinds = set(map(type, values))
    if len(kinds) > 1:
        return None
    [kind] = kinds
    return kind if kind is str or kind is bool or all(map(_is_simple, values)) else None


def _is_simple(value: Any) -> bool:
    """Whether an attribute holds it as it is: integers have 64 bits with a sign."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return isinstance(value, str)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits
        import json

        return json.dumps(value)
