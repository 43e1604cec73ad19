"""What `ollamatrace doctor` has found, one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warning", "problem"]
STYLE: Final = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: ``problem``: traces do not get where they should; ``warning``: look at it.
        check: What was looked at, in a word for machines.
        text: What was found, and what to do about it.
    """

    level: Level
    check: str
    text: str


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding("ok", check, text)


def warning(check: str, text: str) -> Finding:
    """Somebody should look at it."""
    return Finding("warning", check, text)


def problem(check: str, text: str) -> Finding:
    """Somebody must do something."""
    return Finding("problem", check, text)
