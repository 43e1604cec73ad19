"""The built-in rules by name. Each takes time in proportion to the text, whatever is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ollamatrace.privacy import card_numbers, credentials, email_addresses, phone_numbers
from ollamatrace.privacy.places import Found

Rule = Callable[[str], str]
"""Takes a text, and gives it back with a mark in place of what must not be in it."""

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


def _rule(name: str) -> Rule:
    mark = f"<{name}>"

    def replace(text: str) -> str:
        pieces: list[str] = []
        end = 0
        for found in found_in(name, text):
            pieces += text[end : found.start], mark
            end = found.end
        return "".join((*pieces, text[end:])) if pieces else text

    replace.__name__ = replace.__qualname__ = name
    return replace


RULES: Final[Mapping[str, Rule]] = MappingProxyType({name: _rule(name) for name in _FINDERS})
"""The rules by the names that settings and command lines use."""
