"""The folder in which the spans for one destination wait."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from ollamatrace.spool.segment import Place, Segment

_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_SHARE: Final = 16
"""A segment takes at least this part of all that waits: each is an open file of the program's."""
_ADOPTED: Final = 32
"""How many segments of others are open at a time."""
_ADOPTED_BYTES: Final = 64 * 1024 * 1024
"""From how many bytes of those on the others are left for later."""
_PLACE_BYTES: Final = 1024 * 1024
_REJECTED_BYTES: Final = 64 * 1024 * 1024
"""From how many bytes on what was refused is set aside in a file anew; the last one is kept."""
_VERSION: Final = 1
REJECTED: Final = "rejected.jsonl"
_SLUG: Final = re.compile(r"[^A-Za-z0-9.]+")


class Spool:
    """Segments of this process, and what others left behind.

    A segment begins with a line that says where it wants to go, without credentials. It is locked
    by its process as long as that lives, and deleted when all of it has arrived. Written, not
    fsynced: it survives the process, not the power.

    Args:
        folder: The folder of all spools.
        url: The server's address, without credentials.
        experiment: What the spans are filed under there.
    """

    def __init__(self, folder: Path, url: str, experiment: str) -> None:
        place = f"{url}\n{experiment}"
        name = _SLUG.sub("-", url.partition("://")[2]).strip("-")[:60]
        digest = hashlib.blake2b(place.encode("utf-8", "replace"), digest_size=6).hexdigest()
        self.folder = folder / f"{name}-{digest}"
        header = {"spool": _VERSION, "url": url, "experiment": experiment}
        self._header = orjson.dumps(header) + b"\n"
        self._lock = threading.RLock()  # a signal handler may come in between
        self._current: Segment | None = None
        self._segments: set[Segment] = set()
        self._adopted: set[Segment] = set()
        """Those of them that others began."""
        self._found: deque[tuple[Path, int]] = deque()
        """What others seem to have left, and its bytes, as far as it has not been looked at."""
        self.beyond = 0
        """The bytes of that."""

    def append(self, lines: bytes) -> Place:
        """Keep whole lines.

        Raises:
            OSError: they cannot be written.
        """
        with self._lock:
            segment = self._current
            if segment is None or self._is_full(segment) or segment.is_gone:
                segment = self._current = self._create()
            return segment.append(lines)

    def _is_full(self, segment: Segment) -> bool:
        share = sum(one.size for one in self._segments) // _SHARE
        return segment.size >= max(_SEGMENT_BYTES, share)

    def joined(self, first: Place, then: Place) -> Place | None:
        """Both as one place, which is `done` once; ``None`` if they do not fit together."""
        length = first.length + then.length
        follows = first.segment is then.segment and first.offset + first.length == then.offset
        if not follows or length > _PLACE_BYTES:
            return None
        with self._lock:
            first.segment.waiting -= 1
        return Place(first.segment, first.offset, length)

    def _create(self) -> Segment:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        segment = Segment.create(self.folder / name, self._header)
        self._segments.add(segment)
        return segment

    def done(self, place: Place) -> None:
        """It has arrived, or is given up: the file goes when nothing of it waits any more."""
        self._done(place.segment)

    def _done(self, segment: Segment) -> None:
        with self._lock:
            segment.waiting -= 1
            if not segment.waiting and segment in self._segments:
                self._segments.discard(segment)
                self._adopted.discard(segment)
                if segment is self._current:
                    self._current = None
                segment.delete()

    def adopt(self) -> Iterator[tuple[Place, int, float]]:
        """Take over what dead processes left, the oldest first, as far as there is `room`.

        Yields:
            Some whole lines, how many they are, and when they were written (seconds since the
            epoch). Each place wants its `done`.
        """
        if not self._found:
            self._look()
        while self.has_more:
            path, size = self._found.popleft()
            self.beyond -= size
            segment = None if self._owns(path) else Segment.adopt(path)
            if segment is not None:
                yield from self._places(segment)

    @property
    def has_more(self) -> bool:
        """Whether others seem to have left more, and there is room for it here."""
        if not self._found or len(self._adopted) >= _ADOPTED:
            return False
        with self._lock:
            return sum(segment.size for segment in self._adopted) < _ADOPTED_BYTES

    def _look(self) -> None:
        with contextlib.suppress(OSError):
            for path in sorted(self.folder.glob("*.jsonl")):
                if path.name != REJECTED:
                    with contextlib.suppress(OSError):  # its owner has delivered it just now
                        self._found.append((path, path.stat().st_size))
        self.beyond = sum(size for _, size in self._found)

    def _owns(self, path: Path) -> bool:
        with self._lock:
            return any(segment.path == path for segment in self._segments)

    def _places(self, segment: Segment) -> Iterator[tuple[Place, int, float]]:
        start = len(self._header)
        try:
            known = segment.read(0, start) == self._header
            written = segment.age_from
        except OSError:
            known, written = False, 0.0
        if not known:
            segment.close()  # not readable, of another version, no segment at all: leave it alone
            return
        with self._lock:
            self._segments.add(segment)
            self._adopted.add(segment)
            segment.waiting = 1  # until all that is in it is found
        with contextlib.suppress(OSError):  # the rest is for the next process
            for offset, length, count in segment.lines(start, _PLACE_BYTES):
                with self._lock:
                    segment.waiting += 1
                yield Place(segment, offset, length), count, written
            self._done(segment)

    def reject(self, lines: Sequence[bytes], reason: str) -> Path:
        """Set aside what the server never takes.

        Raises:
            OSError: it cannot be written.
        """
        path = self.folder / REJECTED
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size >= _REJECTED_BYTES:
                path.replace(path.with_suffix(".old"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as file:  # noqa: PTH123  a descriptor
            for line in lines:
                entry = {"reason": reason, "record": orjson.Fragment(line)}
                file.write(orjson.dumps(entry) + b"\n")
        return path

    def close(self) -> None:
        """Let go of all segments and leave them for the next process."""
        for segment in self._drop_all():
            segment.close()

    def abandon(self) -> None:
        """Leave the segments to the parent, in the child after a fork."""
        self._lock = threading.RLock()
        self.close()  # the lock belongs to both descriptors: the parent's keeps it

    def _drop_all(self) -> Iterable[Segment]:
        with self._lock:
            segments, self._segments, self._current = self._segments, set(), None
            self._adopted = set()
            self._found.clear()
            self.beyond = 0
            return segments
