"""What is looked for: a rule, a pattern or a literal text, and in which forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

from ollamatrace.errors import ConfigError
from ollamatrace.privacy import RULES, Found, found_in


class Probe(NamedTuple):
    """One thing that is looked for.

    Attributes:
        name: What it is called; never what it looks for.
        find: Its places in a text.
        literal: The text itself, if it is a literal one.
        reach: How many characters a place may have that is cut by the end of a page or piece.
    """

    name: str
    find: Callable[[str], Iterator[Found]]
    literal: str | None = None
    reach: int = 0


def probes(rules: Sequence[str], patterns: Sequence[str], texts: Sequence[str]) -> list[Probe]:
    """Make them; all built-in rules if nothing is named.

    Raises:
        ConfigError: no such rule, no regular expression, or an empty text.
    """
    names = list(dict.fromkeys(rules))
    if not (rules or patterns or texts):
        names = list(RULES)
    for name in names:
        if name not in RULES:
            raise ConfigError(f"--rule takes {', '.join(RULES)}, not {name!r}")
    return [
        *(Probe(name, partial(found_in, name)) for name in names),
        *(_pattern(number, one) for number, one in enumerate(patterns, 1)),
        *(_literal(number, one) for number, one in enumerate(texts, 1)),
    ]


def masked(text: str, known: Iterable[Probe]) -> str:
    """The text with what was looked for replaced, so that it can be printed."""
    places = sorted(
        (place.start, place.end, probe.name) for probe in known for place in probe.find(text)
    )
    pieces: list[str] = []
    end = 0
    for start, stop, name in places:
        if start >= end:
            pieces += text[end:start], f"<{name}>"
        end = max(end, stop)
    return "".join((*pieces, text[end:]))


def _pattern(number: int, pattern: str) -> Probe:
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        # Not the pattern itself: it may be what must not be seen.
        raise ConfigError(f"--pattern {number} is no regular expression: {error}") from None

    def find(text: str) -> Iterator[Found]:
        return (Found(*match.span()) for match in compiled.finditer(text) if match[0])

    return Probe(f"pattern {number}", find)


def _literal(number: int, text: str) -> Probe:
    if not text:
        raise ConfigError("--text takes a text that is not empty")
    forms = _forms(text)
    compiled = re.compile("|".join(map(re.escape, forms)))

    def find(where: str) -> Iterator[Found]:
        if any(form in where for form in forms):
            for match in compiled.finditer(where):
                yield Found(*match.span())

    return Probe(f"text {number}", find, text, max(map(len, forms)))


_ESCAPED_DEPTH: Final = 3
"""JSON within JSON within JSON: the arguments of a tool in the text of a request."""


def _forms(text: str) -> list[str]:
    """A text as itself, in JSON, in JSON within JSON, and in URLs; the longest first."""
    forms = {text, quote(text), quote(text, safe=""), quote_plus(text)}
    escaped = {text}
    for _ in range(_ESCAPED_DEPTH):
        escaped = set(chain.from_iterable(map(_escaped, escaped)))
        forms |= escaped
    return sorted(forms, key=len, reverse=True)


def _escaped(text: str) -> Iterator[str]:
    for ascii_only in (False, True):
        body = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield body
        yield body.replace("/", "\\/")
