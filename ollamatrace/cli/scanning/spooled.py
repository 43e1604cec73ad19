"""The texts of a spool: the lines of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import orjson

from ollamatrace.cli.scanning.finding import Finding
from ollamatrace.cli.scanning.scanner import Scanner
from ollamatrace.records.shapes import as_dict

_LONGEST: Final = 512 * 1024 * 1024
"""Bytes of a line that are read as one."""


def files(folder: Path) -> list[Path]:
    """All files of a spool, whatever they are called."""
    return sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink())


def scan_lines(path: Path, scanner: Scanner) -> Iterator[Finding | None]:
    """Look at the lines of a file; what is no JSON, such as a torn last line, is a text itself.

    Yields:
        What is found, and ``None`` at the end.

    Raises:
        OSError: it cannot be read.
    """
    number = 0
    with path.open("rb") as file:
        while line := file.readline(_LONGEST):
            number += 1
            place: dict[str, Any] = {"where": "spool", "file": str(path), "line": number}
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                yield from scanner.value(line.decode("utf-8", "replace"), **place)
                continue
            fields = as_dict(entry)
            record = as_dict(fields.pop("record", None)) or fields
            if "span_id" in record:
                yield from scanner.span(record, **place)
            if record is not fields or "span_id" not in record:
                yield from scanner.value(fields or cast("object", entry), **place)
    yield None
