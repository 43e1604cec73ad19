"""What a `server` string stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ollamatrace.destinations.console import Console
from ollamatrace.destinations.embedded import Embedded
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Sink
from ollamatrace.settings import default_store

_SQLITE: Final = "sqlite:///"
_KNOWN: Final = "`sqlite:///path/to/file.db`, `console:`, or nothing for the embedded store"


def open_sink(server: str | None, experiment: str) -> Sink:
    """Make the destination that `server` names; no server is asked yet.

    Raises:
        ConfigError: it names none, or a file that is not an embedded store.
    """
    if server is not None and not isinstance(server, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(f"server={server!r} is no text; use {_KNOWN}")
    if server is None:
        return Embedded(default_store(), experiment)
    if server.startswith(_SQLITE):
        return Embedded(store_path(server), experiment)
    if server == "console:":
        return Console()
    if server.startswith(("http://", "https://", "otlp")):
        raise ConfigError(f"server={server!r}: this version does not send to servers; use {_KNOWN}")
    raise ConfigError(f"server={server!r} is no address that ollamatrace knows; use {_KNOWN}")


def store_path(server: str) -> Path:
    """The absolute path of a ``sqlite:///path`` address; ``sqlite:////path`` is absolute already.

    Raises:
        ConfigError: it has no path.
    """
    path = server.removeprefix(_SQLITE)
    if not path or path.startswith(":memory:"):
        raise ConfigError(f"server={server!r} names no file; write `sqlite:///traces.db`")
    return Path(path).expanduser().absolute()
