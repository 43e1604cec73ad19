"""Ids of traces and spans, and the generation of this process.

Ids come from a private generator: programs seed the global one for reproducible runs, which
would give every run the same ids. After a fork the child gets fresh entropy and the next
generation number: a span ends only in the process that began it.
"""

from __future__ import annotations

import os
import random
import re
from typing import Final

_source: Final = random.Random(os.urandom(16))
_TRACE_ID: Final = re.compile(r"(?:tr-)?([0-9a-f]{32})")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")

new_bits: Final = _source.getrandbits
"""``new_bits(128)`` for a trace id, ``new_bits(64)`` for a span id."""


class _Process:
    __slots__ = ("generation",)

    def __init__(self) -> None:
        self.generation = 0


process: Final = _Process()
"""``process.generation`` counts the forks between the first process and this one."""


def trace_hex(number: int) -> str:
    """A trace id as 32 lower-case hex digits."""
    return f"{number:032x}"


def span_hex(number: int) -> str:
    """A span id as 16 lower-case hex digits."""
    return f"{number:016x}"


def parse_trace_id(text: str) -> str:
    """Bring a trace id into its one form; MLflow's ``tr-`` in front is taken off.

    Raises:
        ValueError: it is not 32 hex digits.
    """
    match = _TRACE_ID.fullmatch(str(text).strip().lower())  # it may be None: no trace has ended
    if match is None:
        raise ValueError(f"a trace id has 32 hex digits (`tr-` in front is fine), not {text!r}")
    return match[1]


def parse_span_id(text: str) -> str:
    """Bring a span id into its one form.

    Raises:
        ValueError: it is not 16 hex digits.
    """
    known = text.strip().lower()
    if _SPAN_ID.fullmatch(known) is None:
        raise ValueError(f"a span id has 16 hex digits, not {text!r}")
    return known


def _after_fork() -> None:
    _source.seed(os.urandom(16))
    process.generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
