"""Cells of a notebook. One that waits is a task of its own, and what ended in it goes with it."""

from __future__ import annotations

import sys

from ollamatrace.context import last_var, latest
from ollamatrace.guard import shielded


@shielded
def follow() -> None:
    """Where IPython runs, have each cell know what ended last before it, in whichever task."""
    # Whoever runs in it has imported it.
    find = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if find is None else find()
    if shell is not None:
        shell.events.register("pre_run_cell", _begin)  # which takes it once


def _begin(_cell: object) -> None:
    last_var.set(latest.ended)
