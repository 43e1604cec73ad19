"""Telephone numbers: international, in the usual forms of countries, or said to be one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ollamatrace.privacy.places import AFTER_ESCAPE, Found

_SPACE: Final = r"[ \u00a0\u2007\u2009\u202f]|%20"
_GAP: Final = rf"(?:{_SPACE}|[./()\-\u2010\u2011\u2013]|%2[89DdFf]|\\/)"
_BEGIN: Final = rf"(?:(?<![0-9A-Za-z_])|{AFTER_ESCAPE})"
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ADDRESS: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"

# What is no number is taken, too, and as a whole: data in base64, dates, times, addresses.
_TOKENS: Final = re.compile(
    r"data:[\w/+.;=-]{0,200};base64,[\w+/=%-]*+"
    r"|(?<![\w+/])[\w+/-]{256,}+"
    rf"|{_BEGIN}(?:"
    rf"{_DATE}(?![0-9])|[0-9]{{1,2}}[./-][0-9]{{1,2}}[./-](?:19|20)[0-9]{{2}}(?![./-]?[0-9])"
    rf"|[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}})?(?:[.,][0-9]{{1,9}})?(?![0-9])"
    rf"|{_ADDRESS}(?![.0-9])"
    rf"|(?P<digits>\(?[0-9](?:{_GAP}{{0,3}}[0-9])*+)(?![0-9A-Za-z]))"
    rf"|(?:(?<![0-9A-Za-z+])|{AFTER_ESCAPE})(?P<found>"
    rf"(?:\+|\\{{1,7}}u002[Bb])[1-9](?:{_GAP}{{0,3}}[0-9]){{7,14}}(?![0-9])"
    rf"|%2[Bb][1-9](?:(?:{_GAP}|\+){{0,3}}[0-9]){{7,14}}(?![0-9]))"
    r"|(?<![A-Za-z])(?:tel(?:e(?:phone|fon))?|(?:tele)?fax|(?:mobile|cell)?phone|mobile?|cell|handy|whatsapp)"
    r"(?:[ _-]?(?:number|no|nr|num))?(?:[.:=#\s]|\\{0,7}[\"']|%3[AaDd]|%22){1,8}"
    rf"(?!{_DATE}|{_ADDRESS})"
    rf"(?P<named>\(?[0-9](?:{_GAP}{{0,3}}[0-9]){{6,14}})(?![0-9A-Za-z])",
    re.IGNORECASE | re.ASCII,
)
_FORMS: Final = re.compile(
    r"(?:1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d(?P<a>[ .-]))[2-9]\d\d(?(a)(?P=a)|[ .-])\d{4}"
    r"|0[1-9](?P<b>[ .-])\d\d(?:(?P=b)\d\d){3}"  # 01 23 45 67 89
    r"|(?=(?:\D{0,3}\d){9,12}\Z)"
    r"(?:\(?0[1-9]\d{0,4}\)?[ /.-]{1,3}\d{3,8}(?:[ -]\d{2,5}){0,3}"  # 030 1234567, 020 7946 0958
    r"|0[1-9]\d{2,3}[ ./-]\d{2,4}(?:[ .-]\d{2,4}){1,3})"  # 0470 12 34 56
    r"|00[1-9](?:[ ./()-]{0,3}\d){8,14}"
    r"|(?:[78] )?\(\d{2,5}\) ?\d{2,5}(?:[ -]\d{2,5}){1,2}"  # (11) 91234-5678, 8 (495) 123-45-67
    r"|1[3-9]\d(?P<c>[ -])\d{4}(?P=c)\d{4}"  # 138 0013 8000
    r"|[6-9]\d{4}[ -]\d{5}"  # 98765 43210
    r"|[5-9]\d\d-\d{3}-\d{3}",
    re.ASCII,
)
_SEVEN_DIGITS: Final = re.compile(r"[0-9](?:[^0-9]{0,9}[0-9]){6}")
"""What every number has; most texts have not, which is quickly seen."""
_SHORTEST: Final = 9
_LONGEST: Final = 40
_WORD: Final = re.compile(rf"(?:(?!{_SPACE}).)+")
_AS_PLAIN: Final = (
    (re.compile(_SPACE), " "),
    (re.compile(r"[\u2010\u2011\u2013]|%2[Dd]"), "-"),
    (re.compile(r"\\/|%2[Ff]"), "/"),
    (re.compile(r"%28"), "("),
    (re.compile(r"%29"), ")"),
)


def find(text: str) -> Iterator[Found]:
    """Find the telephone numbers in a text."""
    if _SEVEN_DIGITS.search(text) is None:
        return
    for match in _TOKENS.finditer(text):
        if match.lastgroup == "digits":
            yield from _within(match["digits"], match.start("digits"))
        elif match.lastgroup is not None:
            yield Found(*match.span(match.lastgroup))


def _within(digits: str, offset: int) -> Iterator[Found]:
    """The numbers in a row of digits and separators; what is between two has to be one itself."""
    if _is_number(digits):
        yield Found(offset, offset + len(digits))
        return
    start = 0
    between: list[tuple[int, int]] = []
    for word in _WORD.finditer(digits):
        if _is_number(word[0]):
            yield from _of(digits, between, offset)
            yield Found(offset + word.start(), offset + word.end())
            between = []
            start = word.end()
        else:
            between.append(word.span())
    if start:
        yield from _of(digits, between, offset)


def _of(digits: str, words: list[tuple[int, int]], offset: int) -> Iterator[Found]:
    if words:
        start, end = words[0][0], words[-1][1]
        if _is_number(digits[start:end]):
            yield Found(offset + start, offset + end)


def _is_number(digits: str) -> bool:
    if not _SHORTEST <= len(digits) <= _LONGEST:
        return False
    for pattern, plain in _AS_PLAIN:
        digits = pattern.sub(plain, digits)
    return _FORMS.fullmatch(digits) is not None
