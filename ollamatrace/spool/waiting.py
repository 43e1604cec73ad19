"""What waits in the spool, looked at from outside: nothing is taken over."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from ollamatrace.spool.lock import try_lock
from ollamatrace.spool.spool import REJECTED

_UPDATE: Final = b'{"trace_update":'
_PIECE: Final = 1024 * 1024


@dataclass(slots=True)
class Waiting:
    """The spans that wait for one destination.

    Attributes:
        folder: Where they are.
        url: The server's address, without credentials; empty if no file says it.
        experiment: What they are filed under there.
        spans: Those that ended programs left behind.
        size: Their bytes.
        since: When the oldest file of them was written last, in seconds since the epoch.
        held: Those in the files of programs that run; some of them may have arrived.
        rejected: Those that the server refused for good.
        reason: Why it refused the last one.
    """

    folder: Path
    url: str = ""
    experiment: str = ""
    spans: int = 0
    size: int = 0
    since: float | None = None
    held: int = 0
    rejected: int = 0
    reason: str | None = None


def look(folder: Path) -> list[Waiting]:
    """What is in the folder of all spools, a destination each; what cannot be read is left out."""
    found: list[Waiting] = []
    with contextlib.suppress(OSError):
        for one in sorted(path for path in folder.iterdir() if path.is_dir()):
            waiting = look_at(one)
            if waiting.url or waiting.rejected:
                found.append(waiting)
    return found


def look_at(folder: Path) -> Waiting:
    """What waits in the folder of one destination."""
    waiting = Waiting(folder)
    with contextlib.suppress(OSError):
        for path in sorted(one for one in folder.glob("*.jsonl") if one.is_file()):
            with contextlib.suppress(OSError):  # its owner has delivered it just now
                (_count_rejected if path.name == REJECTED else _count)(path, waiting)
    return waiting


def _count(path: Path, waiting: Waiting) -> None:
    with path.open("r+b") as file:  # as the lock wants it where locks are for writers
        header = _header(file.readline(_PIECE))
        if header is None:
            return
        waiting.url, waiting.experiment = header
        spans = _spans(file)
        if not try_lock(file.fileno()):  # let go of when the file is closed
            waiting.held += spans
            return
        state = os.fstat(file.fileno())
    waiting.spans += spans
    waiting.size += state.st_size
    waiting.since = min(waiting.since or state.st_mtime, state.st_mtime)


def _spans(file: BinaryIO) -> int:
    """How many whole lines there are that are no updates; no more than a piece is in memory."""
    count, begins, is_span = 0, True, False
    while piece := file.readline(_PIECE):
        if begins:
            is_span = not piece.startswith(_UPDATE)
        begins = piece.endswith(b"\n")
        count += begins and is_span
    return count


def _header(line: bytes) -> tuple[str, str] | None:
    try:
        fields: dict[str, Any] = orjson.loads(line)
        return str(fields["url"]), str(fields["experiment"])
    except (ValueError, TypeError, KeyError):
        return None


def _count_rejected(path: Path, waiting: Waiting) -> None:
    last = b""
    for line in _lines(path):
        waiting.rejected += 1
        last = line
    with contextlib.suppress(ValueError, TypeError, KeyError):
        waiting.reason = str(orjson.loads(last)["reason"])


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
