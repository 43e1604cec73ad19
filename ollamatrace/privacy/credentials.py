"""API keys, tokens and passwords: by how they begin, or by what they are assigned to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from ollamatrace.privacy.places import AFTER_ESCAPE, Found

_DIGIT: Final = r"(?=[A-Za-z_-]{0,99}[0-9])"
# By the beginning that its issuer gives it. Words are never so: .sk-fading-circle is a style.
_TOKENS: Final = (
    r"sk-(?:proj|ant|or|svcacct|admin|lf)-[\w-]{8,}",
    r"sk-[A-Za-z0-9]{20,}[\w-]*",
    rf"sk-{_DIGIT}[\w-]{{12,}}",  # OpenAI, Anthropic and many that do as they do
    r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}",
    r"whsec_[A-Za-z0-9+/]{16,}={0,2}",  # Stripe
    r"(?:gsk|hf|r8|csk|fw)_[A-Za-z0-9]{20,}",
    r"(?:xai|nvapi|pplx|tvly)-[\w-]{20,}",
    r"lsv2_(?:pt|sk)_\w{20,}",
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"gl(?:pat|dt|rt)-[\w-]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # Amazon
    r"AIza[\w-]{30,}",
    r"ya29\.[\w-]{10,}",
    r"GOCSPX-[\w-]{20,}",  # Google
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"xapp-[A-Za-z0-9-]{20,}",  # Slack
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"npm_[A-Za-z0-9]{30,}",
    rf"pypi-{_DIGIT}[\w-]{{16,}}",
    r"dckr_pat_[\w-]{20,}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
    r"eyJ[\w-]{5,}\.eyJ[\w-]{5,}(?:\.[\w-]*)?",
    r"eyJ[\w-]{5,}\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+",  # JSON Web Tokens, signed and encrypted
)
_BEGIN: Final = rf"(?:(?<![A-Za-z0-9])(?<![A-Za-z0-9][_-])|{AFTER_ESCAPE})"
_TOKEN: Final = re.compile(rf"{_BEGIN}(?P<found>{'|'.join(_TOKENS)})", re.ASCII)

_PRIVATE: Final = re.compile(
    r"(?P<found>-----BEGIN(?:[ +]|%20)(?:[A-Z0-9]{1,20}(?:[ +]|%20)){0,4}PRIVATE(?:[ +]|%20)KEY"
    r"(?:(?:[ +]|%20)BLOCK)?-----"
    r"(?:\s|\\{1,7}[nr]|%0[AaDd]|[A-Z][A-Za-z-]{1,30}:[ +][^\s\\]{1,99})*+"
    r"(?:[A-Za-z0-9+/=\s]|\\{1,7}[nr/]|%0[AaDd]|%2[BbFf]|%3[Dd])*+"
    r"(?:-----END[A-Z0-9 +%]{1,60}-----)?)"
)
# The last @ before the path: some have one in their password.
_LOGIN: Final = re.compile(
    r"://[^\s/?#@:\"'<>\\]{0,256}:(?P<found>(?!<key>@)[^\s/\"'<>\\]{1,256})@"
)
_HOOK: Final = re.compile(r"//hooks\.slack\.com/services/(?P<found>[\w/]{20,})", re.ASCII)

_MARKED: Final = r"<(?:email|phone|key|card)>"
_QUOTE: Final = r"(?:\\{0,7}[\"'`]|%22|%27|&quot;)"
_SCHEME: Final = r"(?:bearer|basic|token|apikey|digest|negotiate)(?:[ +]|%20){1,4}"
_NAMES: Final = (
    r"(?:api|secret|private|signing|encryption|account|auth|access)[ _-]?(?:access[_-]?)?key",
    r"pass(?:word|wd|phrase|code)|pwd",
    r"(?:client|app|consumer|webhook|shared|jwt)?[_-]?secret",
    r"token(?!s)",
    r"(?:[?&]|%3F|%26)(?:key|sig|signature|x-amz-signature|x-amz-security-token)",
)
_ABSENT: Final = r"(?!(?:null|none|true|false|undefined|nil)\b)"
_BARE: Final = r"[^\s\"'`<>&,;(){}\[\]\\]"
_VALUE: Final = (
    # "password": "…", and the same within a text within JSON
    rf"(?:{_QUOTE}?\s{{0,4}}(?:=>?|:|%3[AaDd])\s{{0,4}}(?:"
    rf"(?<!\\)[\"](?!{_MARKED}\")(?P<quoted>(?:[^\"\\\n]|\\[^\n])++)"
    rf"|(?<!\\)['`](?!{_MARKED}['`])(?P<single>[^'`\n]++)"
    rf"|(?:\\{{1,7}}[\"']|%22|%27|&quot;)(?!{_MARKED})(?P<escaped>(?:(?!%22|%27|&quot;)[^\"'\\\n])++))"
    # password=… of a URL, a command or a configuration
    rf"|(?:=|%3[Dd]){_ABSENT}(?P<given>(?:(?!%26|%22)[^\s\"'`<>&;(){{}}\[\]\\]|[()](?=\w))++)"
    # password: … of YAML, say; not of a sentence that goes on
    rf"|{_QUOTE}?\s{{0,4}}(?:=|:)[ \t]{{0,4}}{_ABSENT}(?P<said>(?=[^\s]{{0,99}}[0-9]){_BARE}{{4,}}+"
    rf"|{_BARE}{{4,}}+(?=[ \t]{{0,9}}(?:\r?\n|\\[nr]|\Z))))"
)
_ASSIGNED: Final = re.compile(rf"(?P<name>{'|'.join(_NAMES)}){_VALUE}", re.IGNORECASE)
_HEADER: Final = re.compile(
    rf"authorization{_QUOTE}?\s{{0,4}}(?:=>?|:|%3[AaDd])(?:\s|\+|%20){{0,4}}{_QUOTE}?(?:"
    rf"{_SCHEME}(?P<with_scheme>[^\s\"'`<>\\]++)"
    rf"|(?P<alone>(?=[^\s]{{0,99}}[0-9])[^\s\"'`<>\\]{{8,}}+))"
    rf"|(?<![A-Za-z])(?:bearer|basic)(?:[ +]|%20){{1,4}}"
    rf"(?P<bare>(?=[A-Za-z._~+/-]{{0,99}}[0-9=])[A-Za-z0-9._~+/=-]{{12,}}+)",
    re.IGNORECASE,
)
_KEYS: Final = re.compile(rf"(?:{'|'.join(_NAMES)}|authorization)\Z", re.IGNORECASE)
_HEAD: Final = 4096
"""Characters of a text that tell what it is."""
_NAMED: Final = (_HEADER, _ASSIGNED)
_UNNAMED: Final = (_TOKEN, _PRIVATE, _LOGIN, _HOOK)
_WORDS: Final = ("key", "pass", "pwd", "secret", "token", "sig", "authorization", "bearer", "basic")
"""Without one of them nothing is named; most texts have none, which is quickly seen."""
# A number, or the token of a model as its probabilities name it: neither lets anybody in.
_WEAK: Final = "token"
_SECRET: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])\S{8,}|\S{24,}")


def find(text: str) -> Iterator[Found]:
    """Find the keys, tokens and passwords in a text."""
    lower = text.lower()
    is_named = any(word in lower for word in _WORDS)
    patterns = (*_UNNAMED, *_NAMED) if is_named else _UNNAMED
    places = sorted(place for pattern in patterns for place in _places(pattern, text))
    if not places:
        return
    start, end = places[0]
    for place in places:
        if place.start > end:
            yield Found(start, end)
            start = place.start
        end = max(end, place.end)
    yield Found(start, end)


def is_secret_under(key: str, text: str) -> bool:
    """Whether a text is a secret for the key that an object has it under, such as ``password``.

    A rule sees texts, and not what they are called; who walks an object asks this, too.
    """
    if _KEYS.search(key) is None:
        return False
    name = f'"{key}":'
    line = name + json.dumps(text[:_HEAD], ensure_ascii=False)
    return any(found.start >= len(name) for found in find(line))


def _places(pattern: re.Pattern[str], text: str) -> Iterator[Found]:
    for match in pattern.finditer(text):
        group = match.lastgroup or ""
        if pattern is not _ASSIGNED or _is_secret(match, group):
            yield Found(*match.span(group))


def _is_secret(match: re.Match[str], group: str) -> bool:
    if match["name"].lower() != _WEAK or group == "given":
        return len(match[group]) > 2 or group != "given"  # noqa: PLR2004  a word, not `&token=1`
    return _SECRET.fullmatch(match[group]) is not None
