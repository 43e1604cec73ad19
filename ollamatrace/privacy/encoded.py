"""Texts that are not to be read as they stand: pictures, and texts in base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

_SHORTEST: Final = 16
_LONGEST: Final = 64 * 1024
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"
_DATA: Final = re.compile(r"data:[\w.+-]{1,99}/[\w.+-]{1,99};base64,")
_LEAST_PRINTABLE: Final = 0.95


def is_picture(text: str, pause: Callable[[], None]) -> bool:
    """Whether a long text is nothing but base64, maybe as a ``data:`` URL: picture or sound."""
    if len(text) <= _LONGEST or not text.isascii():
        return False
    head = _DATA.match(text)
    for start in range(head.end() if head else 0, len(text), _LONGEST):
        if text[start : start + _LONGEST].encode().translate(None, _ALPHABET):
            return False
        pause()
    return True


def text_in(text: str) -> str | None:
    """The text that is encoded in a short one in base64, as bytes are recorded; else ``None``."""
    if not _SHORTEST <= len(text) <= _LONGEST or len(text) % 4 or not _BASE64.fullmatch(text):
        return None
    try:
        found = base64.b64decode(text).decode()
    except ValueError:
        return None
    printable = sum(map(str.isprintable, found)) + found.count("\n") + found.count("\t")
    return found if printable >= _LEAST_PRINTABLE * len(found) else None
