"""The headers of W3C Trace Context: what is valid, and what they say.

https://www.w3.org/TR/trace-context/ : a ``traceparent`` that breaks the rules is as good as none;
a ``tracestate`` that does is dropped alone.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PARENT: Final = "traceparent"
STATE: Final = "tracestate"

_KNOWN_FLAGS: Final = 0x03
"""Sampled, and that the trace id is random. All others are to be sent as zero."""
_FORM: Final = re.compile(
    # Later versions may say more after these four fields.
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-[^\r\n]*)?"
)
_SPACE: Final = " \t"
_KEY: Final = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}|[a-z0-9][a-z0-9_\-*/]{0,255}"
_MEMBER: Final = re.compile(
    rf"(?:{_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS: Final = 32


class Parent(NamedTuple):
    """The span that a ``traceparent`` names."""

    trace: int
    span: int
    flags: int


def parse_parent(text: str) -> Parent | None:
    """What a ``traceparent`` says; ``None`` if it is not valid."""
    found = _FORM.fullmatch(text.strip(_SPACE))
    if found is None or found["version"] == "ff":
        return None
    if found["version"] == "00" and found["more"] is not None:
        return None
    parent = Parent(int(found["trace"], 16), int(found["span"], 16), int(found["flags"], 16))
    return parent._replace(flags=parent.flags & _KNOWN_FLAGS) if all(parent[:2]) else None


def format_parent(trace_id: str, span_id: str, flags: int) -> str:
    """The ``traceparent`` that names a span."""
    return f"00-{trace_id}-{span_id}-{flags:02x}"


def parse_state(text: str) -> str | None:
    """A ``tracestate`` as it is to be passed on; ``None`` if it says nothing or is not valid."""
    members = [member.strip(_SPACE) for member in text.split(",")]
    members = [member for member in members if member]
    if len(members) > _MOST_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return None
    return ",".join(members) or None
