"""What became of the spans of programs that have ended: a line for each tracer and destination."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from ollamatrace import guard
from ollamatrace.spool.lock import try_lock

_NAME: Final = "accounts.jsonl"
_MOST: Final = 1_000_000
"""The bytes beyond which the older half goes."""
_TRIES: Final = 3


def note(folder: Path, accounts: Sequence[Mapping[str, Any]]) -> None:
    """Write what became of a tracer's spans; where that is not possible it is left out.

    Args:
        folder: The folder of all spools.
        accounts: The final counts, one for each destination, with its ``url``.
    """
    who = {
        "time": round(time.time(), 3),
        "pid": os.getpid(),
        "program": Path(sys.argv[0]).name if sys.argv else "",
    }
    lines = b"".join(orjson.dumps({**who, **account}) + b"\n" for account in accounts)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_TRIES):
            if _appended(folder / _NAME, lines):
                return
    except OSError as error:
        guard.logger.debug("%s cannot be written: %s", folder / _NAME, error)


def read(folder: Path, since: float = 0.0) -> Iterator[dict[str, Any]]:
    """The accounts that were noted after `since` (seconds since the epoch), oldest first."""
    path = folder / _NAME
    with contextlib.suppress(OSError):
        if not path.is_file():  # to open something else may take for ever
            return
        with path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    account = orjson.loads(line)
                    if account["time"] >= since and isinstance(account["url"], str):
                        yield account


def _appended(path: Path, lines: bytes) -> bool:
    """Whether they are in the file, and not in one that has just been replaced."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, lines)
        state = os.fstat(descriptor)
        if state.st_nlink and state.st_size > _MOST and try_lock(descriptor):
            _halve(path)
        return bool(state.st_nlink)
    finally:
        os.close(descriptor)


def _halve(path: Path) -> None:
    data = path.read_bytes()
    half = data[data.find(b"\n", len(data) // 2) + 1 :]
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  a descriptor
        file.write(half)
    new.replace(path)
