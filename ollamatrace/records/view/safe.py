"""Recorded text made harmless to look at, whatever a model or a program put into it."""

from __future__ import annotations

from typing import Final

# Every character that a terminal obeys instead of showing: a recorded answer could clear the
# screen, rename the window or, with the marks of writing direction, show a text in another order,
# which it could in a notebook, too.
_PICTURES: Final = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
_HIDDEN: Final = {
    **_PICTURES,
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),
}


def clean(text: str) -> str:
    """Show control characters as pictures of themselves; line ends and tabs stay."""
    return text.replace("\r\n", "\n").translate(_HIDDEN)


def one_line(text: str) -> str:
    """The text on one line, runs of white space as one space."""
    return clean(" ".join(text.split()))
