"""One file of the spool: a header line, then record lines; deleted when all have arrived."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from ollamatrace.spool.lock import try_lock

_BINARY: Final = getattr(os, "O_BINARY", 0)


class Place(NamedTuple):
    """Some lines of a segment."""

    segment: Segment
    offset: int
    length: int

    def read(self) -> list[bytes]:
        """The lines, without their ends.

        Raises:
            OSError: the file cannot be read any more.
        """
        lines = self.segment.read(self.offset, self.length).split(b"\n")
        return lines if lines[-1] else lines[:-1]


class Segment:
    """A file that this process owns. Its owner's methods are called under the spool's lock."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        self.waiting = 0
        """How many places of it have not arrived."""
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: Path, header: bytes) -> Self:
        """Begin a file.

        Raises:
            OSError: it cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | _BINARY
        segment = cls(path, os.open(path, flags, 0o600), 0)
        try:
            try_lock(segment._descriptor)
            segment._append(header)
        except OSError:
            segment.delete()
            raise
        return segment

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Take over what a process left; ``None`` if it lives, or if another was quicker."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | _BINARY)
        except OSError:
            return None
        # Who begins a file locks it before it writes: an empty one may not be locked yet. And its
        # owner may have deleted it since it was opened.
        with contextlib.suppress(OSError):  # a file system without locks
            if os.fstat(descriptor).st_size and try_lock(descriptor) and path.exists():
                return cls(path, descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)
        return None

    @property
    def age_from(self) -> float:
        """When something was written to it last, in seconds since the epoch."""
        return os.fstat(self._descriptor).st_mtime

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted the file: what is written to it now nobody finds."""
        return not os.fstat(self._descriptor).st_nlink

    def append(self, lines: bytes) -> Place:
        """Write whole lines.

        Raises:
            OSError: there is no room, or the disk fails; nothing of it stays.
        """
        place = Place(self, self.size, len(lines))
        self._append(lines)
        self.waiting += 1
        return place

    def _append(self, lines: bytes) -> None:
        before = self.size
        view = memoryview(lines)
        try:
            while view:
                written = os.write(self._descriptor, view)
                view = view[written:]
                self.size += written
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
            self.size = before
            raise

    def read(self, offset: int, length: int) -> bytes:
        """Read bytes back.

        Raises:
            OSError: the disk fails.
        """
        if not hasattr(os, "pread"):
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(length)
        # It has no position to share with who appends, and works on a deleted file, too.
        return os.pread(self._descriptor, length, offset)

    def lines(self, start: int, most: int) -> Iterator[tuple[int, int, int]]:
        """Find the whole lines from `start` on: where some begin, their length, their number.

        Some are about `most` bytes, and no more is in memory: whoever left the file may have been
        of another mind about its size. A torn last line is left out.

        Raises:
            OSError: the disk fails.
        """
        begin = at = start
        while at < self.size and (data := self.read(at, min(most, self.size - at))):
            end = data.rfind(b"\n") + 1
            if not end:
                at += len(data)
                continue
            yield begin, at + end - begin, data.count(b"\n")
            begin = at = at + end

    def delete(self) -> None:
        """Remove the file: everything has arrived."""
        with contextlib.suppress(OSError):  # Windows wants it closed before
            self.path.unlink(missing_ok=True)
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file and leave it for the next process."""
        descriptor, self._descriptor = self._descriptor, -1  # the number may soon be another's
        with contextlib.suppress(OSError):
            os.close(descriptor)
