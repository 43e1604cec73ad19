"""What sort of image bare base64 holds."""

from __future__ import annotations

import binascii
import re
from typing import Final

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


def image_type(image: str) -> str | None:
    """Its MIME type; ``None`` if it is no base64."""
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
