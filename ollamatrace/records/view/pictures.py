"""Recorded pictures that a page can show by itself: data of the formats that browsers draw."""

from __future__ import annotations

import re
from typing import Final

# Nothing else comes into an attribute of a page, and SVG, which may have scripts, is not among it.
_DATA_URL: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
KINDS: Final = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}
"""Formats by how their base64 begins."""
_LARGEST: Final = 300_000
"""Characters of a picture that is still shown: some 200 kB of an image."""


def source(value: object) -> str | None:
    """The ``data:`` URL of a small picture; ``None`` for anything else.

    Args:
        value: A data URL, or base64 as Ollama's API has it.
    """
    if not isinstance(value, str) or len(value) > _LARGEST:
        return None
    if _DATA_URL.fullmatch(value):
        return value
    kind = next((kind for start, kind in KINDS.items() if value.startswith(start)), None)
    return f"data:{kind};base64,{value}" if kind and _BASE64.fullmatch(value) else None
