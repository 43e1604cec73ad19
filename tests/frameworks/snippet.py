"""The snippets that the document shows, run as they stand there, but for the server's address."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "snippets"
ADDRESS: Final = "http://localhost:11434"


def text_of(name: str) -> str:
    """What the document shows."""
    return (FOLDER / f"{name}.py").read_text("utf-8")


def made_by(name: str, url: str, **known: Any) -> SimpleNamespace:
    """Run all of a snippet but the last line, which asks; give the names that it has then.

    Args:
        name: The snippet.
        url: The model's server.
        known: Names that it takes from elsewhere.
    """
    tree = ast.parse(text_of(name).replace(ADDRESS, url))
    asking = ast.Module([tree.body.pop()], [])
    _execute(name, tree, known)
    return SimpleNamespace(**{**known, "ask": lambda: _execute(name, asking, known)})


def itself(made: SimpleNamespace) -> None:
    """Run the last line, too."""
    made.ask()


def _execute(name: str, tree: ast.Module, known: dict[str, Any]) -> None:
    exec(compile(tree, f"{name}.py", "exec"), known)  # noqa: S102  that is the point
