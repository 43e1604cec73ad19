"""`ollamatrace privacy-scan`: go through stores and spools, and say where something was found."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from rich.text import Text

from ollamatrace.cli import screen
from ollamatrace.cli.commands import open_store
from ollamatrace.cli.progress import progress
from ollamatrace.cli.scanning.finding import Finding
from ollamatrace.cli.scanning.probe import Probe, probes
from ollamatrace.cli.scanning.raw import PIECE, scan_bytes
from ollamatrace.cli.scanning.scanner import Scanner
from ollamatrace.cli.scanning.spooled import files, scan_lines
from ollamatrace.cli.scanning.stored import scan_remains, scan_spans
from ollamatrace.errors import ConfigError, OllamatraceError
from ollamatrace.records.view import figures, safe
from ollamatrace.settings import default_spool

_CLEAN: Final = 0
_FOUND: Final = 1
_UNREADABLE: Final = 2
_STDIN: Final = "-"
_SHOWN: Final = 20
"""How many places of one rule in the bytes of one file are printed; the others are counted."""
# The log first: what is copied from it into the file meanwhile is seen there.
_PARTS: Final = ("-wal", "-journal", "-shm", "")


class Asked(NamedTuple):
    """What the command line says."""

    rules: Sequence[str]
    patterns: Sequence[str]
    texts: Sequence[str]
    text_file: str | None
    store: str | None
    spool: Path | None


def scan(asked: Asked, *, as_json: bool) -> int:
    """Do it; the result is the exit code: 0 if all is clean, 1 if not, 2 if it cannot be told."""
    screen.keep_warnings()
    try:
        run = _Run(Scanner(_probes(asked)), as_json=as_json)
        if asked.store is not None or asked.spool is None:
            run.store(asked.store)
        if asked.spool is not None or asked.store is None:
            run.spool(asked.spool)
    except (OllamatraceError, OSError) as error:
        screen.note(f"error: {safe.one_line(str(error))}", "bold red")
        return _UNREADABLE
    return run.end()


def _probes(asked: Asked) -> list[Probe]:
    texts = list(asked.texts)
    if asked.text_file is not None:
        source = sys.stdin if asked.text_file == _STDIN else None
        body = source.read() if source else Path(asked.text_file).read_text("utf-8")
        lines = [line for line in body.splitlines() if line]
        if not lines:
            raise ConfigError("--text-file has no text")
        texts += lines
    return probes(asked.rules, asked.patterns, texts)


class _Run:
    """One run of the command: what it has found so far, printed as it comes."""

    def __init__(self, scanner: Scanner, *, as_json: bool) -> None:
        self._scanner = scanner
        self._as_json = as_json
        self._found: Counter[str] = Counter()
        self._in_bytes: Counter[tuple[str, str | None]] = Counter()
        self._unreadable: list[str] = []
        self._out = screen.standard()

    def store(self, where: str | None) -> None:
        """Look at a store: what it has, then the bytes of its files."""
        with open_store(where) as store:
            if not store.path.exists():
                if where is not None:
                    raise ConfigError(f"there is no store {store.path}")
                return
            if not store.path.is_file():
                raise ConfigError(f"{store.path} is no file")
            traces = store.scan()
            self._through(scan_spans(traces, self._scanner), "spans", len(traces), "traces")
            self._through(scan_remains(store, self._scanner), "rest", 0, "")
        self._bytes([store.path.with_name(store.path.name + part) for part in _PARTS])

    def spool(self, folder: Path | None) -> None:
        """Look at a spool: its lines, then the bytes of its files."""
        where = folder or default_spool()
        if not where.is_dir():
            if folder is not None:
                raise ConfigError(f"there is no folder {folder}")
            return
        there = files(where)
        found = (one for path in there for one in self._readable(scan_lines, path))
        self._through(found, "spool", len(there), "files")
        self._bytes(there)

    def end(self) -> int:
        """Say what came out of it; the exit code."""
        scanner, total = self._scanner, self._found.total()
        if self._as_json:
            summary = {
                "clean": not total and not self._unreadable,
                "found": dict(self._found),
                "spans": scanner.spans,
                "texts": scanner.texts,
                "bytes": scanner.bytes,
                "unreadable": self._unreadable,
            }
            screen.write_json(orjson.dumps(summary))
        else:
            self._say(total)
        if total:
            return _FOUND
        return _UNREADABLE if self._unreadable else _CLEAN

    def _say(self, total: int) -> None:
        scanner = self._scanner
        for (rule, file), count in self._in_bytes.items():
            if count > _SHOWN:
                self._print(f"{rule}: {file}, {count - _SHOWN:,} more")
        looked = (
            f"{figures.counted(scanner.spans, 'span')}, {figures.counted(scanner.texts, 'text')}, "
            f"{figures.size(scanner.bytes)} looked at"
        )
        if total:
            rules = ", ".join(f"{count:,} {rule}" for rule, count in self._found.items())
            self._print(f"found: {figures.counted(total, 'place')} ({rules}); {looked}", "bold red")
        elif self._unreadable:
            self._print(f"nothing found, but not all could be read; {looked}", "bold red")
        else:
            self._print(f"clean: {looked}", "green")

    def _bytes(self, paths: Iterable[Path]) -> None:
        there = [path for path in paths if path.is_file()]
        pieces = sum(-(-path.stat().st_size // PIECE) for path in there)
        found = (one for path in there for one in self._readable(scan_bytes, path))
        self._through(found, "bytes", pieces, "MiB")

    def _readable(
        self, read: Callable[[Path, Scanner], Iterator[Finding | None]], path: Path
    ) -> Iterator[Finding | None]:
        """What is in a file; one that cannot be read is told of, and the others are looked at."""
        try:
            yield from read(path, self._scanner)
        except FileNotFoundError:
            return  # delivered, or copied into the database, meanwhile
        except OSError as error:
            self._unreadable.append(str(path))
            screen.note(f"error: cannot read {path}: {error.strerror}", "bold red")

    def _through(self, found: Iterable[Finding | None], title: str, total: int, unit: str) -> None:
        """Note what is found; ``None`` is one step on the way to `total`."""
        done = 0
        with progress(title, total, unit) as tell:
            for one in found:
                if one is not None:
                    self._note(one)
                    continue
                done += 1
                tell(done, "")

    def _note(self, finding: Finding) -> None:
        self._found[finding.rule] += 1
        if self._as_json:
            screen.write_json(orjson.dumps(finding.fields()))
            return
        if finding.where == "file":
            place = (finding.rule, finding.file)
            self._in_bytes[place] += 1
            if self._in_bytes[place] > _SHOWN:
                return
        self._print(str(finding))

    def _print(self, text: str, style: str = "") -> None:
        self._out.print(Text(safe.one_line(text), style=style), soft_wrap=True)
