"""`ollamatrace export`: record lines of the embedded store, one trace after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ollamatrace.cli import screen
from ollamatrace.cli.commands import Filters, conditions, found_id, open_store
from ollamatrace.cli.progress import progress
from ollamatrace.errors import ConfigError
from ollamatrace.records import Trace
from ollamatrace.records.view import figures
from ollamatrace.store import Store


def export(
    where: str | None,
    trace_ids: Sequence[str],
    filters: Filters,
    output: Path | None,
    *,
    force: bool,
) -> None:
    """Write the traces that are named, or all that match, oldest first.

    Raises:
        OllamatraceError: what was asked for makes no sense, or the store cannot be read.
        OSError: the file cannot be written.
    """
    known = conditions(filters)
    if trace_ids and (filters.text is not None or known):
        raise ConfigError("give trace ids or filters, not both")
    with open_store(where) as store:
        if not store.path.exists():
            raise ConfigError(f"there is no store {store.path}; --store names another")
        if output is not None and output.exists() and output.samefile(store.path):
            raise ConfigError(f"{output} is the store itself; name another file")
        if trace_ids:
            total, traces = _named(store, trace_ids)
        else:
            scan = store.scan(filters.text, **known)
            total, traces = len(scan), iter(scan)
        with _opened(output, force=force) as out:
            spans = 0
            with progress("export", total, "traces") as tell:
                for number, trace in enumerate(traces, 1):
                    for span in trace.spans:
                        out.write(span.line() + b"\n")
                        spans += 1
                    tell(number, "")
            out.flush()
    if output is not None:
        screen.note(
            f"{figures.counted(total, 'trace')}, {figures.counted(spans, 'span')}: {output}"
        )
    elif not total:
        screen.note(f"No trace in {store.path} matches.")


def _named(store: Store, trace_ids: Sequence[str]) -> tuple[int, Iterator[Trace]]:
    # All are looked for before the first is written: a wrong id would leave half an export.
    ids = list(dict.fromkeys(found_id(store, one) for one in trace_ids))
    return len(ids), (trace for one in ids if (trace := store.get(one)) is not None)


@contextmanager
def _opened(output: Path | None, *, force: bool) -> Generator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        return
    if output.is_char_device() or output.is_fifo():  # /dev/stdout, say: nothing to rename
        with output.open("wb") as file:
            yield file
        return
    if output.exists() and not force:
        raise ConfigError(f"{output} exists; --force replaces it")
    partial = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor
            yield file
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
