"""The texts in a decoded value, with the way to each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast

from ollamatrace.privacy import SHORTEST_NUMBER

Way = tuple[str | int, ...]
"""Keys and positions, from the outermost on."""

KEY: Final = -1
"""As the last position of a way: it is the key itself that has the text."""


def leaves(value: Any, way: Way = ()) -> Iterator[tuple[Way, str]]:
    """Give every text, key and long number of a plain value."""
    left: list[tuple[Way, Any]] = [(way, value)]
    while left:
        way, value = left.pop()
        if isinstance(value, str):
            yield way, value
        elif isinstance(value, dict):
            for key, item in cast("dict[str, Any]", value).items():
                yield (*way, key, KEY), key
                left.append(((*way, key), item))
        elif isinstance(value, list):
            items = cast("list[object]", value)
            left += [((*way, at), one) for at, one in enumerate(items) if type(one) is not float]
        elif type(value) is int and abs(value) >= SHORTEST_NUMBER:
            yield way, str(value)


def shown(way: Way) -> str:
    """A way as in ``inputs.messages[0].content``."""
    text = ""
    for step in way:
        if step == KEY:
            text += " (the key)"
        elif isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text
