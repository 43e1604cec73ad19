"""Values that a stream brings in pieces, of whatever shape."""

from __future__ import annotations

from typing import Any, Final

from ollamatrace.records.shapes import is_dict, is_list

_TEXTS: Final = frozenset(
    {"arguments", "content", "data", "input", "refusal", "text", "thinking", "transcript"}
)
"""What comes in pieces of text; other texts (ids, names, types) come whole, maybe repeatedly."""


def grown(so_far: Any, piece: Any, name: str = "") -> Any:
    """Put a piece to what has come so far, which stays as it is.

    Objects grow by their fields, lists by their items, texts of the fields that come in pieces by
    their ends; of everything else, the latest counts.
    """
    if so_far is None or piece is None:
        return so_far if piece is None else piece
    if is_dict(so_far) and is_dict(piece):
        return so_far | {key: grown(so_far.get(key), value, key) for key, value in piece.items()}
    if is_list(so_far) and is_list(piece):
        return so_far + piece
    if name in _TEXTS and isinstance(so_far, str) and isinstance(piece, str):
        return so_far + piece
    return piece
