"""Numbers of payment cards: of a known issuer, grouped as on a card, with the right check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ollamatrace.privacy.places import AFTER_ESCAPE, Found

_GAP: Final = r"(?:[ +\-\u00a0\u2007\u2009\u202f\u2010\u2011\u2013]|%20|%2[Dd])"
# No digits of a longer number, of a decimal fraction, or of a hexadecimal id.
_BEGIN: Final = re.compile(
    rf"(?:(?<![0-9A-Za-z])(?<![0-9]\.)|{AFTER_ESCAPE})[2-6](?=(?:{_GAP}?[0-9]){{12}})"
)
_END: Final = r"(?![0-9A-Za-z])(?!\.[0-9])"
_SHAPES: Final = tuple(
    re.compile(shape + _END)
    for shape in (
        r"[0-9]{13,19}",
        rf"[0-9]{{4}}({_GAP})(?:[0-9]{{4}}\1){{3}}[0-9]{{1,3}}",
        rf"[0-9]{{4}}({_GAP})(?:[0-9]{{4}}\1){{2}}[0-9]{{1,4}}",
        rf"[0-9]{{4}}({_GAP})[0-9]{{6}}\1[0-9]{{4,5}}",
        rf"[0-9]{{6}}({_GAP})[0-9]{{7,13}}",
        rf"[0-9]{{8}}({_GAP})[0-9]{{8}}",
    )
)
_ISSUERS: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11,16}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15}"  # Maestro
)
_ESCAPE: Final = re.compile(r"%..|[^0-9]")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def find(text: str) -> Iterator[Found]:
    """Find the card numbers in a text."""
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.end()
        for shape in _SHAPES:
            match = shape.match(text, begin.start())
            if match is not None and _is_card(_ESCAPE.sub("", match[0])):
                at = match.end()
                yield Found(*match.span())
                break


def _is_card(digits: str) -> bool:
    if _ISSUERS.fullmatch(digits) is None:
        return False
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0
