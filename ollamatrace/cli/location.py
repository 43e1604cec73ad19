"""Which store a command reads: what was asked for, the environment's, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ollamatrace.destinations import SQLITE, store_path
from ollamatrace.errors import ConfigError
from ollamatrace.settings import Environment, default_store, without_credentials


class Location(NamedTuple):
    """A store's file, and what to tell the user about how it was found."""

    path: Path
    note: str | None = None

    @property
    def server(self) -> str:
        """The address of the store for ``Tracer(server=…)``."""
        return f"{SQLITE}{self.path}"


def locate(store: str | None) -> Location:
    """Find the store: ``--store``, else ``OLLAMATRACE_SERVER``, else the one in the data folder.

    Args:
        store: What ``--store`` says: a path, or ``sqlite:///…``.

    Raises:
        ConfigError: it is the address of something else.
    """
    if store is not None:
        if store.startswith(SQLITE):
            return Location(store_path(store))
        if "://" in store or not store:
            raise ConfigError(f"--store takes the path of a file or sqlite:///path, not {store!r}")
        return Location(Path(store).expanduser())
    server = Environment.read().server
    if server is None:
        return Location(default_store())
    if server.startswith(SQLITE):
        return Location(store_path(server))
    path = default_store()
    return Location(
        path, f"traces go to {without_credentials(server)}; this is the local store {path}"
    )
