"""Any recorded value as text for people: pictures, vectors and blobs become placeholders."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from ollamatrace.records.shapes import is_dict, is_list
from ollamatrace.records.view import figures
from ollamatrace.records.view.pictures import KINDS

_VECTOR: Final = 16
"""Numbers in a list from which it is a vector and nobody reads it."""
_BLOB: Final = 256
_SHORT: Final = 320
"""Characters of JSON that are easier to read in a row than one below the other."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?[^,]{0,100};base64,")


def text(value: Any) -> str:
    """A value on as many lines as it takes."""
    line = brief(value)
    if isinstance(value, str) or len(line) <= _SHORT:
        return line
    return json.dumps(placeholders(value), ensure_ascii=False, indent=2)


def brief(value: Any) -> str:
    """A value on one line, but for the lines of a text."""
    short = placeholders(value)
    return short if isinstance(short, str) else json.dumps(short, ensure_ascii=False)


def arguments(value: Any) -> str:
    """Arguments as in a call: ``city="Paris", days=3``; OpenAI sends them as JSON text."""
    if isinstance(value, str):
        try:
            return arguments(json.loads(value)) if value.startswith("{") else value
        except ValueError:
            return value
    if not is_dict(value):
        return brief(value)
    return ", ".join(
        f"{name}={json.dumps(placeholders(item), ensure_ascii=False)}"
        for name, item in value.items()
    )


def placeholders(value: Any) -> Any:
    """The value with what nobody reads replaced by what it is."""
    if isinstance(value, str):
        return blob(value) or value
    if is_dict(value):
        return {key: placeholders(item) for key, item in value.items()}
    if is_list(value):
        return vector(value) or [placeholders(item) for item in value]
    return value


def vector(items: list[Any]) -> str | None:
    """``[768 numbers]`` for a long list of numbers."""
    if len(items) < _VECTOR or not all(type(item) in (int, float) for item in items):
        return None
    return f"[{len(items)} numbers]"


def image(value: str) -> str:
    """A placeholder for what is known to be a picture: a data URL, base64, an address or a path."""
    return blob(value) or f"<image {value}>"


def blob(value: str) -> str | None:
    """A placeholder for a data URL or a long base64 text; ``None`` for any other text."""
    if match := _DATA_URL.match(value):
        kind = match[1] or "data"
        return f"<{_family(kind)} {figures.size(_decoded(value, match.end()))}>"
    if len(value) < _BLOB or not _BASE64.fullmatch(value):
        return None
    kind = next((kind for start, kind in KINDS.items() if value.startswith(start)), "base64")
    return f"<{_family(kind)} {figures.size(_decoded(value, 0))}>"


def _family(kind: str) -> str:
    family = kind.partition("/")[0]
    return f"{family} {kind}" if family in {"image", "audio", "video"} else kind


def _decoded(value: str, start: int) -> int:
    return (len(value.rstrip("=")) - start) * 3 // 4
