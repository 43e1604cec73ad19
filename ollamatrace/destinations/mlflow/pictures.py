"""Images as Ollama takes them, bare base64, and as data URLs, which a page can show."""

from __future__ import annotations

import binascii
import re
from typing import Any, Final

from ollamatrace.destinations.mlflow.values import json_text

_HEAD: Final = 64
"""Characters of base64 that tell what it is."""
_ENCODED: Final = re.compile(rf"[A-Za-z0-9+/]{{{_HEAD}}}")
_MAGIC: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)
_DATA_URL: Final = re.compile(r"data:[^,]*;base64,")


def data_url(image: Any) -> str:
    """A URL that shows `image`; what is no base64 (a path, an address) stays as it is."""
    if not isinstance(image, str):
        return json_text(image)
    content_type = _content_type(image)
    return image if content_type is None else f"data:{content_type};base64,{image}"


def plain_image(url: str) -> str:
    """The base64 in a data URL; another address as it is."""
    mark = _DATA_URL.match(url)
    return url if mark is None else url[mark.end() :]


def _content_type(image: str) -> str | None:
    try:
        head = binascii.a2b_base64(image[:_HEAD], strict_mode=True)
    except ValueError:  # no base64, or text that is not ASCII
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for magic, content_type in _MAGIC:
        if head.startswith(magic):
            return content_type
    return "application/octet-stream" if _ENCODED.match(image) else None
