"""Values as an MLflow server gives them, made plain.

`traces/get` gives a list of keys and OTLP values; an artifact of an older trace has a mapping of
JSON texts. Both are the same attributes.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from ollamatrace.records.shapes import as_dict, as_list, is_dict


def plain_attributes(attributes: Any) -> dict[str, Any]:
    """The attributes of a span."""
    if is_dict(attributes):
        return {key: _parsed(value) for key, value in attributes.items()}
    return _pairs(attributes)


def event_attributes(attributes: Any) -> dict[str, Any]:
    """The attributes of an event, which are not JSON in either form."""
    return attributes if is_dict(attributes) else _pairs(attributes)


def hex_id(value: Any, digits: int) -> str | None:
    """An id as hex digits, from base64 or from hex in any notation; ``None`` if there is none."""
    if not isinstance(value, str) or not value:
        return None
    text = value.lower().removeprefix("tr-").removeprefix("0x")
    if len(text) <= digits and not text.strip("0123456789abcdef") and not value.endswith("="):
        return text.rjust(digits, "0")
    try:
        return base64.b64decode(value, validate=True).hex().rjust(digits, "0")
    except binascii.Error:
        return None


def _pairs(pairs: Any) -> dict[str, Any]:
    listed = map(as_dict, as_list(pairs))
    # The server leaves out an empty key.
    return {str(pair.get("key") or ""): _plain(pair.get("value")) for pair in listed}


def _plain(value: Any) -> Any:
    """An OTLP value; names are in snake case here."""
    fields = as_dict(value)
    kind = next(iter(fields), "")
    held: Any = fields.get(kind)
    if kind == "int_value":
        return int(held)
    if kind == "double_value":
        return float(held)
    if kind == "array_value":
        return [_plain(item) for item in as_list(as_dict(held).get("values"))]
    if kind == "kvlist_value":
        return _pairs(as_dict(held).get("values"))
    return held


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
