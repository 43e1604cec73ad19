"""Where something was found, and where a word begins in text that may be encoded."""

from __future__ import annotations

from typing import Final, NamedTuple


class Found(NamedTuple):
    """A place in a text: ``text[start:end]``."""

    start: int
    end: int


SHORTEST_NUMBER: Final = 1_000_000
"""Whole numbers from here on are looked at as text: a card's may be one."""
AFTER_ESCAPE: Final = r"(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
"""Where an escape of JSON or of a URL ends, whose last letter is no part of the next word."""
