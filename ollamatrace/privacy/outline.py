"""What is left of a content that is not recorded: its shape, its settings, sizes and hashes."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson

from ollamatrace.privacy.vocabulary import CONTAINERS, FIELDS, NAMED, NUMBERS, WORDS

_HASHED_BYTES: Final = 32
"""Shorter texts have no hash: there are so few of them that they can be found by trying."""
_HASH_DIGITS: Final = 16
_OTHER: Final = "other"
_MODEL: Final = re.compile(r"[\w.:/@+-]{1,100}")
_TYPE: Final = re.compile(r"[A-Za-z_]\w{0,100}")
_FRAME: Final = re.compile(r'  File "[^"\n]*", line \d+, in [^\s]+')


def outline(value: Any) -> Any:
    """What a call of a model took or gave, with its texts and vectors only described.

    Numbers that set or count something stay, so do words of the APIs (``"role": "user"``) and, at
    the top, the model. Of a mapping with fields that the APIs do not have, these are described
    together, as their names may be content: ``{"other": "<40 bytes, sha256 9f86d081884c7d65>"}``.
    """
    shape = _shape(value)
    if isinstance(value, dict) and isinstance(value.get("model"), str):
        model = value["model"]
        shape["model"] = model if _MODEL.fullmatch(model) else described(model)
    return shape


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        known = {key: _field(key, one) for key, one in value.items() if key in FIELDS}
        unknown = {key: one for key, one in value.items() if key not in FIELDS}
        return {**known, _OTHER: described(unknown)} if unknown else known
    if isinstance(value, list) and any(isinstance(one, dict | list | str) for one in value):
        return [_shape(one) for one in value]
    return value if value is None or value in ([], "") else described(value)


def _field(name: str, value: Any) -> Any:
    if value is None or (name in NUMBERS and isinstance(value, bool | int | float)):
        return value
    if name in NAMED and isinstance(value, str) and value in WORDS:
        return value
    return _shape(value) if name in CONTAINERS or isinstance(value, list) else described(value)


def scalar(value: Any) -> Any:
    """An attribute: numbers stay."""
    return value if value is None or isinstance(value, bool | int | float) else described(value)


def failure(message: str) -> str:
    """The message of a status, ``Type: text``, with the text only described."""
    kind, separator, text = message.partition(": ")
    if not message or not _TYPE.fullmatch(kind):
        return described(message) if message else ""
    return f"{kind}: {described(text)}" if separator else kind


def frames(stack: Any) -> str:
    """The frames of a stack alone: without source lines, and without what exceptions say."""
    return "\n".join(line for line in str(stack).split("\n") if _FRAME.fullmatch(line))


def described(value: Any) -> str:
    """The size of a plain value and its hash: of a text as UTF-8, of anything else as JSON."""
    data = value.encode() if isinstance(value, str) else orjson.dumps(value)
    if len(data) < _HASHED_BYTES:
        return sized(data)
    digest = hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]
    return f"<{len(data)} bytes, sha256 {digest}>"


def sized(data: bytes) -> str:
    """The size alone."""
    return f"<{len(data)} bytes>"
