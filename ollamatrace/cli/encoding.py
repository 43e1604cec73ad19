"""What a terminal's encoding lacks, printed as something like it."""

from __future__ import annotations

import codecs
from typing import Final

_PLAIN: Final = {"–": "-", "—": "-", "→": ">", "…": ".", "·": "-", "×": "x", "µ": "u", "─": "-"}
_HANDLER: Final = "ollamatrace-plain"


def plain_errors() -> str:
    """The name of an error handler that prints what an encoding lacks as something like it."""
    codecs.register_error(_HANDLER, _replace)
    return _HANDLER


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # One character for one: the columns of a table are counted already.
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in lacking), error.end
