"""Which release of ollamatrace this is."""

from __future__ import annotations

import functools


@functools.cache
def release() -> str:
    """Its version; ``unknown`` in a program that was packed up without what pip notes of it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ollamatrace")
    except PackageNotFoundError:
        return "unknown"
