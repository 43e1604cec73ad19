"""The embedded store as a destination."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ollamatrace.destinations.backend import Query
from ollamatrace.errors import ConfigError, StoreError
from ollamatrace.records import Record, Trace

if TYPE_CHECKING:
    from ollamatrace.store import Store


class Embedded:
    """Keeps spans in an SQLite file on this machine, and answers from it.

    Raises:
        ConfigError: there is a file at `path` that is not an embedded store.
    """

    def __init__(self, path: Path, experiment: str) -> None:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file in it, such as {path}/traces.db")
        from ollamatrace.store import Store  # SQLite: 10 ms that other destinations do not need

        self._store: Store = Store(path)
        self._experiment = experiment
        with contextlib.suppress(StoreError):  # what may pass is told when spans are written
            self._store.trace_ids("", limit=1)

    @property
    def url(self) -> str:
        """``sqlite:///`` and the path."""
        return f"sqlite:///{self._store.path}"

    def write(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Store `records` in one transaction."""
        self._store.write(records, experiment=self._experiment, pause=pause)

    def close(self) -> None:
        """Close the file; the next `write` opens it again."""
        self._store.close()

    def abandon(self) -> None:
        """Leave the connection to the parent process."""
        self._store.abandon()

    async def search(self, query: Query) -> list[Trace]:
        """The traces that meet `query`, newest first."""
        from anyio import to_thread

        return await to_thread.run_sync(partial(self._store.search, **asdict(query)))

    async def get(self, trace_id: str) -> Trace | None:
        """The trace with this id, or ``None``."""
        from anyio import to_thread

        return await to_thread.run_sync(self._store.get, trace_id)
