"""Server-sent events, decoded from the bytes of a body: on the worker.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs
import contextlib
import re
from typing import Any, Final

import orjson

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


class EventStream:
    """Takes a body piece by piece and gives the values of the events that are whole."""

    __slots__ = ("_begun", "_data", "_half", "_rest")

    def __init__(self) -> None:
        self._begun = False
        self._rest: list[bytes] = []
        """The pieces of a line that is not whole: joined when it is, so that each is read once."""
        self._half = False
        """Whether they end with a CR, which may be half of a CR LF."""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[Any]:
        """The values of the events that `piece` completes; what is no JSON is left out.

        ``[DONE]``, with which OpenAI's streams end, is none.
        """
        self._rest.append(piece)
        if not self._half and b"\n" not in piece and b"\r" not in piece:
            return []
        *lines, rest = _LINE_END.split(b"".join(self._rest))
        self._rest = [rest]
        self._half = rest.endswith(b"\r")
        if lines and not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        values: list[Any] = []
        for line in lines:
            self._take(line, values)
        return values

    def _take(self, line: bytes, values: list[Any]) -> None:
        field, _, text = line.partition(b":")
        if field == b"data":
            self._data.append(text.removeprefix(b" "))
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            with contextlib.suppress(orjson.JSONDecodeError):
                values.append(orjson.loads(data))
