"""The bytes of files, as they are: also what was deleted, and is not overwritten yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ollamatrace.cli.scanning.finding import Finding
from ollamatrace.cli.scanning.scanner import Scanner

PIECE: Final = 1024 * 1024
"""Bytes that are looked at in one step."""
_AROUND: Final = 4096
"""Bytes on each side of a piece that are looked at with it, for what begins or goes on there."""
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 20
_POINTER: Final = 4
"""A long text goes on in other pages; each of them begins with the number of the next one."""
_TAIL: Final = 256


def scan_bytes(path: Path, scanner: Scanner) -> Iterator[Finding | None]:
    """Look at a file.

    It may not be a database that this process has open: closing the file would drop SQLite's locks.

    Yields:
        What is found, and ``None`` after each piece.

    Raises:
        OSError: it cannot be read.
    """
    around = max([_AROUND, *(one.reach * 4 for one in scanner.probes)])
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, size, PIECE):
            begin = max(0, start - around)
            file.seek(begin)
            data = file.read(start - begin + PIECE + around)
            for at, length, rule in _found(data, scanner):
                if start <= begin + at < start + PIECE:
                    yield _finding(path, begin + at, length, rule)
            scanner.bytes += min(PIECE, size - start)
            yield None
        yield from _across_pages(file, path, size, scanner)


def _across_pages(file: BinaryIO, path: Path, size: int, scanner: Scanner) -> Iterator[Finding]:
    """What begins in one page of a database and goes on in another."""
    file.seek(0)
    head = file.read(_HEADER)
    page = int.from_bytes(head[16:18], "big")
    page = 65_536 if page == 1 else page
    if not head.startswith(_MAGIC) or page < 2 * _TAIL:  # a page has 512 bytes or more
        return
    tail = max([_TAIL, *(one.reach * 4 for one in scanner.probes)])
    tail = min(tail, page - _POINTER)
    for number in range(1, size // page + 1):
        end = number * page
        file.seek(end - page)
        data = file.read(page)
        told = int.from_bytes(data[:_POINTER], "big")
        for following in {told, number + 1}:
            if not 1 < following <= size // page or following == number:
                continue
            file.seek((following - 1) * page + _POINTER)
            joined = data[-tail:] + file.read(tail)
            for at, length, rule in _found(joined, scanner):
                if at < tail < at + length:
                    yield _finding(path, end - tail + at, length, rule)


def _found(data: bytes, scanner: Scanner) -> Iterator[tuple[int, int, str]]:
    """Where something is, its bytes, and what it is."""
    text = data.decode("utf-8", "surrogateescape")
    for probe in scanner.probes:
        known = at = 0
        for place in probe.find(text):
            at += len(text[known : place.start].encode("utf-8", "surrogateescape"))
            known = place.start
            length = len(text[place.start : place.end].encode("utf-8", "surrogateescape"))
            yield at, length, probe.name


def _finding(path: Path, at: int, length: int, rule: str) -> Finding:
    return Finding(rule=rule, where="file", length=length, at=at, file=str(path))
