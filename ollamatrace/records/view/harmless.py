"""What a notebook or a debugger calls by itself must not raise there."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def harmless(
    instead: Callable[[object, Exception], str],
) -> Callable[[Callable[[T], str]], Callable[[T], str]]:
    """Have a function that shows a thing give `instead` of it where it fails.

    What is shown may come from other programs, which can have put anything anywhere.
    """

    def decorate(show: Callable[[T], str]) -> Callable[[T], str]:
        @functools.wraps(show)
        def shown(thing: T) -> str:
            try:
                return show(thing)
            except Exception as error:  # noqa: BLE001  whatever is in it
                return instead(thing, error)

        return shown

    return decorate
