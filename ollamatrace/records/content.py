"""What a span took in or gave back, as JSON bytes or as plain values, converted when asked."""

from __future__ import annotations

from typing import Any, Final

import orjson

_UNSET: Final = object()


class Content:
    """One input or output: JSON bytes, plain Python values, or both.

    The recording side hands over whichever it has; the other form is made on first use and kept.
    A plain value consists of ``dict`` with ``str`` keys, ``list``, ``str``, ``int`` within 64
    bits, ``float``, ``bool`` and ``None`` (see `ollamatrace.records.plain`).
    """

    __slots__ = ("_json", "_value")

    def __init__(self, value: Any = _UNSET, *, json: bytes | None = None) -> None:
        self._json = json
        self._value = value

    @property
    def value(self) -> Any:
        """The plain value; ``None`` where nothing was recorded."""
        if self._value is _UNSET:
            self._value = None if self._json is None else orjson.loads(self._json)
        return self._value

    @property
    def has_json(self) -> bool:
        """Whether the JSON form is there already; making it takes long where leaves are big."""
        return self._json is not None

    @property
    def json(self) -> bytes:
        """The value as compact JSON in UTF-8."""
        if self._json is None:
            self._json = b"null" if self._value is _UNSET else orjson.dumps(self._value)
        return self._json


def utf8(value: object) -> str:
    """`value` as text that UTF-8 can hold: halves of a surrogate pair are joined, else escaped."""
    text = value if isinstance(value, str) else str(value)
    if text.isascii():
        return str(text)
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "backslashreplace").decode("utf-8")
