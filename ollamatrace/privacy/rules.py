"""The built-in rules by name. Each takes time in proportion to the text, whatever is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ollamatrace.privacy import card_numbers, credentials, email_addresses, phone_numbers
from ollamatrace.privacy.places import Found

Rule = Callable[[str], str]
"""Takes a text, and gives it back with a mark in place of what must not be in it."""

_PIECE: Final = 4 * 1024
_AROUND: Final = 4 * 1024
"""More than what is looked for takes: a private key of 4,096 bits has 3,300 characters."""

_FINDERS: Final[Mapping[str, Callable[[str], Iterator[Found]]]] = {
    "email": email_addresses.find,
    "phone": phone_numbers.find,
    "key": credentials.find,
    "card": card_numbers.find,
}


def found_in(name: str, text: str) -> Iterator[Found]:
    """The places in `text` that the rule of this name replaces, in order and apart.

    Args:
        name: ``email``, ``phone``, ``key`` or ``card``.
        text: Any text; JSON and URLs may stay encoded.

    Raises:
        KeyError: there is no such rule.
    """
    return _FINDERS[name](text)


def replaced(name: str, text: str, pause: Callable[[], None]) -> str:
    """`text` as the rule of this name leaves it; piece by piece, so that others can run.

    Args:
        name: As for `found_in`.
        text: Any text.
        pause: Called between pieces: searching one holds the interpreter.
    """
    pieces: list[str] = []
    end = 0
    for found in _found_by_pieces(name, text, pause):
        pieces += text[end : found.start], f"<{name}>"
        end = found.end
    return "".join((*pieces, text[end:])) if pieces else text


def _found_by_pieces(name: str, text: str, pause: Callable[[], None]) -> Iterator[Found]:
    if len(text) <= _PIECE + _AROUND:
        yield from found_in(name, text)
        return
    start = 0
    while start < len(text):
        # What begins in this piece may go on behind it, and needs to see what is before it.
        before, after = max(start - _AROUND, 0), start + _PIECE + _AROUND
        stop = start + _PIECE
        for found in found_in(name, text[before:after]):
            first, last = found.start + before, found.end + before
            if start <= first < start + _PIECE:
                yield Found(first, last)
                stop = max(stop, last)
        start = stop
        pause()


def _rule(name: str) -> Rule:
    def replace(text: str) -> str:
        return replaced(name, text, lambda: None)

    replace.__name__ = replace.__qualname__ = name
    return replace


RULES: Final[Mapping[str, Rule]] = MappingProxyType({name: _rule(name) for name in _FINDERS})
"""The rules by the names that settings and command lines use."""
