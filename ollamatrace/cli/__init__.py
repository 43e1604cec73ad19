"""The command line: what `ollamatrace` does; see `ollamatrace --help`."""

from __future__ import annotations

import importlib
import sys
from typing import Final

_EXTRA: Final = ("rich", "typer")
_INTERRUPTED: Final = 130


def main() -> None:
    """Run the command line: the console script, and ``python -m ollamatrace``."""
    try:
        for package in _EXTRA:
            importlib.import_module(package)
        from ollamatrace.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit(f"error: the command line needs {error.name}: pip install 'ollamatrace[cli]'")
    except KeyboardInterrupt:  # while it was still importing
        sys.exit(_INTERRUPTED)
    run()
