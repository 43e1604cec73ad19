"""E-mail addresses, also as they are in JSON, URLs and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ollamatrace.privacy.places import Found

_HEX: Final = "[0-9A-Fa-f]"
_LETTER: Final = r"\w.!#$*+^~'\-"
# Escapes that belong to an address: of what is in _LETTER, and of all that is not ASCII.
_ESCAPED: Final = rf"%(?:2[BbDdEe]|5[Ff]|7[Ee]|[89A-Fa-f]{_HEX})|\\{{1,7}}u(?!00[0-7]){_HEX}{{4}}"
# Where an address may begin. It is never in the middle of another one: only so is each letter
# looked at once, and the time in proportion to the text.
_START: Final = (
    rf"(?:(?<![{_LETTER}%\\])"
    rf"|(?<=%)(?!{_HEX}{{2}})"
    rf"|(?<=%[0-7]{_HEX})(?<!%2[BbDdEe])(?<!%5[Ff])(?<!%7[Ee])"
    rf"|(?<=\\)(?!\\|[nrtbf]|u{_HEX}{{4}})"
    rf"|(?<=\\[nrtbf])|(?<=\\u00[0-7]{_HEX}))"
)
_AT: Final = r"(?:@|%(?:25){0,3}40|\\{1,7}(?:u0040|x40)|&#0{0,4}64;|&#[xX]0{0,4}40;|&commat;|＠)"
_DOT: Final = r"(?:\.|%2[Ee])"
_ADDRESS: Final = re.compile(
    rf"{_START}(?:(?!\w)[{_LETTER}])*+(?P<found>(?:[{_LETTER}]|{_ESCAPED})++{_AT}"
    rf"(?:(?!\dx\.)(?:[\w-]++{_DOT})+(?:xn--[\w-]{{2,59}}|[^\W\d_]{{2,63}})"
    # the last: icon@2x.png is a picture; and a mail server by its number
    r"|\[[0-9A-Fa-f.:]{2,45}\]))"
)
_SIGNS: Final = ("@", "%", "u0040", "x40", "&#", "&commat;", "＠")


def find(text: str) -> Iterator[Found]:
    """Find the addresses in a text."""
    if any(sign in text for sign in _SIGNS):
        for match in _ADDRESS.finditer(text):
            yield Found(*match.span("found"))
