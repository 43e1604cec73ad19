"""Values as OTLP/JSON carries them to MLflow, which stores every attribute as JSON text.

A mapping or list travels as a string that holds its JSON text, in the style of `json.dumps`, so
that what is stored is what MLflow's own client stores. A string whose text is JSON itself would be
taken for such a one; it travels as its own JSON text, and stays a string.

A NUL becomes U+FFFD: PostgreSQL has no room for it, and the server would fail over the whole batch.

The document is put together as text: through dictionaries it would take twice as long.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from ollamatrace.destinations.pieces import is_large, pieces

_BEGINS_JSON: Final = frozenset('"[{ \t\n\r')
_INT64: Final = 2**63
_SHORT: Final = 128
"""Characters below which the standard library quotes a text faster than orjson."""
_REPLACEMENT: Final = "\ufffd"
_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""The escape of a NUL in JSON; after an odd number of backslashes it is a text that reads so."""
_escaped: Final[Callable[[str], str]] = json.encoder.encode_basestring


def quoted(text: str) -> str:
    """A text as a JSON string."""
    return _quoted(text.replace("\0", _REPLACEMENT) if "\0" in text else text)


def _quoted(text: str) -> str:
    try:
        return _escaped(text) if len(text) < _SHORT else orjson.dumps(text).decode()
    except TypeError:  # half a surrogate pair
        return _escaped(text)


def _text_encoder() -> Callable[[Any], str]:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encode
    # What `encode` makes anew for each value, which takes longer than a small value itself.
    pieces = make(None, None, _escaped, None, ": ", ", ", False, False, True)  # noqa: FBT003
    return lambda value: "".join(pieces(value, 0))


_encoded: Final = _text_encoder()


def json_text(value: Any) -> str:
    """A value as MLflow's client writes it: ``{"a": 1}``, other scripts as they are."""
    text = _quoted(value) if isinstance(value, str) else _encoded(value)
    return _NUL.sub(rf"\1{_REPLACEMENT}", text) if "\\u0000" in text else text


def key_value(key: str, value: Any, pause: Callable[[], None] | None = None) -> str:
    """An attribute of a span, as JSON.

    Args:
        key: Its name.
        value: A plain value.
        pause: Given for a value that may be large, which is then serialised in pieces.
    """
    if isinstance(value, str):
        if len(value) < _SHORT:
            return _short_pair(key, value)
    elif not isinstance(value, dict | list):
        return raw_key_value(key, value)
    if pause is not None and is_large(value):
        text = _large_text(value, pause)
    elif isinstance(value, str) and value[0] not in _BEGINS_JSON:
        text = quoted(value)
    else:
        text = quoted(json_text(value))
    return f'{_key(key)}{{"stringValue":{text}}}}}'


def raw_key_value(key: str, value: Any) -> str:
    """An attribute of an event, which MLflow stores as it comes."""
    return f"{_key(key)}{{{_raw(value)}}}}}"


@functools.lru_cache(maxsize=1024)
def _key(key: str) -> str:
    return f'{{"key":{quoted(key)},"value":'


@functools.lru_cache(maxsize=1024)
def _short_pair(key: str, value: str) -> str:
    """A pair as most spans have it: a model, a provider, a kind."""
    text = json_text(value) if value[:1] in _BEGINS_JSON else value
    return f'{_key(key)}{{"stringValue":{quoted(text)}}}}}'


def _raw(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return '"boolValue":true' if value else '"boolValue":false'
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return f'"intValue":"{value}"'
    if isinstance(value, float) and math.isfinite(value):
        return f'"doubleValue":{value!r}'
    # OTLP has 64 bits and a sign; one integer beyond them would cost the whole batch.
    text = value if isinstance(value, str) else json_text(value)
    return f'"stringValue":{quoted(text)}'


def _large_text(value: Any, pause: Callable[[], None]) -> str:
    """The JSON text of `value` as a JSON string."""
    escaped: list[str] = []
    for piece in pieces(value, json_text):
        escaped.append(quoted(piece)[1:-1])
        pause()
    return '"' + "".join(escaped) + '"'
