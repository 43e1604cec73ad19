"""What a span took in, gave back or went through: JSON or plain values, converted when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

_UNSET: Final = object()
CUTS: Final = (1_000, 10_000)
"""Characters at which the text of an object, and the message of an exception, is cut."""
_TORN: Final = 64
"""Characters in which something with blanks in it, such as the number of a card, has room."""
_WORD: Final = 512
"""Characters in which most words have room, such as the key of an API."""


class Content:
    """Inputs, outputs or events: JSON bytes, plain Python values, or both.

    Whoever makes it hands over what there is, be it only a way to get the JSON; another form is
    made on first use and kept.
    A plain value consists of ``dict`` with ``str`` keys, ``list``, ``str``, ``int`` within 64
    bits, ``float``, ``bool`` and ``None`` (see `ollamatrace.records.plain`).
    """

    __slots__ = ("_json", "_value")

    def __init__(
        self, value: Any = _UNSET, *, json: bytes | Callable[[], bytes] | None = None
    ) -> None:
        self._json = json
        self._value = value

    @property
    def value(self) -> Any:
        """The plain value; ``None`` where nothing was recorded."""
        if self._value is _UNSET:
            self._value = None if self._json is None else orjson.loads(self.json)
        return self._value

    @property
    def has_json(self) -> bool:
        """Whether the JSON form need not be made of the value, which is slow with big leaves."""
        return self._json is not None

    @property
    def json(self) -> bytes:
        """The value as compact JSON in UTF-8."""
        json = self._json
        if json is None:
            json = b"null" if self._value is _UNSET else orjson.dumps(self._value)
        elif not isinstance(json, bytes):
            json = json()
        self._json = json
        return json

    def opened(self) -> Any:
        """The plain value for somebody who may change it: from now on the JSON is made of it."""
        value = self.value
        self._json = None
        return value


def utf8(value: object) -> str:
    """`value` as text that UTF-8 can hold: halves of a surrogate pair are joined, else escaped.

    Never raises; of a value whose own code does, it is the name of its class.
    """
    if type(value) is str and value.isascii():
        return value
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001  the value's own __str__
        return f"<{type(value).__name__}>"
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return joined.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def shorn(text: str) -> str:
    """A text that was cut, without what may be half of something at its end: half a secret, say."""
    text = text[:-_TORN]
    word = max(text.rfind(blank, -_WORD) for blank in " \n\t") if len(text) > _WORD else -1
    return text[:word] if word > 0 else text[: max(len(text) - _WORD, len(text) // 2)]
