"""The embedded store as a destination."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final

from ollamatrace import guard
from ollamatrace.destinations.backend import Query
from ollamatrace.errors import ConfigError, StoreError
from ollamatrace.records import Record, Trace
from ollamatrace.settings import Delivery

if TYPE_CHECKING:
    from pathlib import Path

    from ollamatrace.store import Keeper, Store

_warned: Final[set[str]] = set()
"""The stores of which it has been told that traces are deleted."""


class Embedded:
    """Keeps spans in an SQLite file on this machine, and answers from it.

    Raises:
        ConfigError: there is a file at `path` that is not an embedded store.
    """

    def __init__(
        self,
        path: Path,
        experiment: str,
        delivery: Delivery = Delivery(),  # noqa: B008  frozen
        told: Callable[[str], None] | None = None,
    ) -> None:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file in it, such as {path}/traces.db")
        # SQLite: 10 ms that other destinations do not need.
        from ollamatrace.store import Keeper, Store

        self._store: Store = Store(path)
        self._experiment = experiment
        self._keeper: Keeper = Keeper(
            self._store, delivery.store_max_bytes, delivery.store_max_age_s
        )
        self._told = told
        with contextlib.suppress(StoreError):  # what may pass is told when spans are written
            self._store.trace_ids("", limit=1)

    @property
    def url(self) -> str:
        """``sqlite:///`` and the path."""
        return f"sqlite:///{self._store.path}"

    def write(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Store `records` in one transaction, then delete for a moment what is too much."""
        self._store.write(records, experiment=self._experiment, pause=pause)
        with contextlib.suppress(StoreError):  # another process is at it, say: the next time
            if self._keeper.step() and self.url not in _warned:
                _warned.add(self.url)
                guard.warn(
                    f"store_full:{self.url}",
                    f"{self.url} is full: the oldest traces are deleted from now on; "
                    "Delivery(store_max_bytes=) says how large it may be",
                    self._told,
                )

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
