"""Server-sent events, decoded from the bytes of a body: on the worker.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

import orjson

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


class EventStream:
    """Takes a body piece by piece and gives the values of the events that are whole."""

    __slots__ = ("_begun", "_data", "_rest")

    def __init__(self) -> None:
        self._begun = False
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[Any]:
        """The values of the events that `piece` completes; what is no JSON is left out.

        ``[DONE]``, with which OpenAI's streams end, is none. A CR that ends a piece may be half of
        a CR LF: it waits for the next.
        """
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        values: list[Any] = []
        if lines and not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        for line in lines:
            field, _, text = line.partition(b":")
            if field == b"data":
                self._data.append(text.removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data), []
                try:
                    values.append(orjson.loads(data))
                except orjson.JSONDecodeError:
                    continue
        return values
