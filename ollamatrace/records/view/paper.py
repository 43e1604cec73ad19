"""Where a page of bounded size is written: recorded text comes in escaped, and cut."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from ollamatrace.records.view import figures, safe
from ollamatrace.records.view.style import STYLE

if TYPE_CHECKING:
    from ollamatrace.records import SpanRecord

_TEXT: Final = 6_000
"""Characters of one text that are shown."""
_TEXTS: Final = 300_000
"""Characters of all texts together."""
_PICTURES: Final = 1_500_000
_READ: Final = 4_000_000
"""Bytes of inputs and outputs after which no more of them are read: it takes a second or two."""
_BADGES: Final = {"OK": "badge ok", "ERROR": "badge bad"}
_SURROGATES: Final = dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)
"""Halves of characters, which no page can have."""


def escaped(text: str) -> str:
    """Recorded text as text of a page, whatever is in it."""
    return escape(safe.clean(text).translate(_SURROGATES))


def short(text: str, length: int = 80) -> str:
    """The beginning of a text, on one line, escaped."""
    line = safe.one_line(text[: 4 * length])
    return escaped(line if len(line) <= length else f"{line[: length - 1]}…")


def mono(text: str, title: str = "") -> str:
    """A text as code has it; `title` appears when somebody points at it."""
    told = f' title="{escaped(title)}"' if title else ""
    return f'<span class="mono"{told}>{escaped(text)}</span>'


def badge(status: str) -> str:
    """How a span ended, in its colour."""
    return f'<span class="{_BADGES.get(status, "badge")}">{escaped(status)}</span>'


def whole(*parts: str) -> str:
    """Parts of a page as one that needs nothing else."""
    return f'<div class="ollamatrace"><style>{STYLE}</style>{"".join(parts)}</div>'


def unreadable(_thing: object, error: Exception) -> str:
    """The page of what cannot be shown."""
    what = f"{type(error).__name__}: {error}"
    return whole(f'<span class="cut">cannot be shown here: {short(what)}</span>')


class Paper:
    """What room is left, and whether something had to be left out."""

    def __init__(self) -> None:
        self.is_cut = False
        self._texts = _TEXTS
        self._pictures = _PICTURES
        self._read = 0

    def takes(self, span: SpanRecord) -> bool:
        """Whether there is time to read what was said in the span."""
        if self._read > _READ:
            self.is_cut = True
            return False
        self._read += len(span.input_content.json) + len(span.output_content.json)
        return True

    def text(self, text: str) -> str:
        """A text, escaped; what there is no room for is counted."""
        shown = text[: min(_TEXT, self._texts)]
        self._texts -= len(shown)
        left = len(text) - len(shown)
        if not left:
            return escaped(shown)
        self.is_cut = True
        return f'{escaped(shown)}<span class="cut"> … {figures.count(left)} more characters</span>'

    def picture(self, url: str) -> str:
        """An image of a ``data:`` URL that `pictures.source` has made."""
        if len(url) > self._pictures:
            self.is_cut = True
            return ""
        self._pictures -= len(url)
        return f'<img alt="" src="{escape(url)}">'
