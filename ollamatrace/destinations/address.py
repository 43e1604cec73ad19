"""What a `server` string stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ollamatrace.destinations.console import Console
from ollamatrace.destinations.embedded import Embedded
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Channel, Sink
from ollamatrace.settings import Access, Delivery, Otlp, default_store, without_credentials

if TYPE_CHECKING:
    from pathlib import Path

SQLITE: Final = "sqlite:///"
_DEFAULT_EXPERIMENT: Final = "Default"
_KNOWN: Final = (
    "`http://…` or `https://…` for an MLflow server, `otlp+http://…`, `otlp+https://…` or `otlp:` "
    "for one of OpenTelemetry, `sqlite:///path/to/file.db`, `console:`, or nothing for the "
    "embedded store"
)


def open_destination(
    server: str | None,
    *,
    experiment: str | None,
    experiment_id: str | None,
    delivery: Delivery,
    told: Callable[[str], None] | None = None,
) -> Sink | Channel:
    """Make the destination that `server` names; no server is asked yet.

    Args:
        server: The address; ``None``: the embedded store.
        experiment: What the traces are filed under.
        experiment_id: The id of an experiment on an MLflow server, instead of its name.
        delivery: How spans are sent, and how many are kept.
        told: The tracer's `on_warning`.

    Raises:
        ConfigError: it names none, or a file that is not an embedded store.
    """
    if server is not None and not isinstance(server, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(f"server={type(server).__name__} is no text; use {_KNOWN}")
    name = experiment or _DEFAULT_EXPERIMENT
    if server is None:
        return Embedded(default_store(), name, delivery, told)
    if server.startswith(SQLITE):
        return Embedded(store_path(server), name, delivery, told)
    if server == "console:":
        return Console()
    if server.lower().startswith(("http://", "https://")):
        from ollamatrace.destinations.mlflow import MlflowChannel

        filed = None if experiment is not None else experiment_id
        return MlflowChannel(server, name, filed, delivery, Access.read())
    if server.lower().startswith(("otlp:", "otlp+http://", "otlp+https://")):
        from ollamatrace.destinations.otlp import OtlpChannel

        return OtlpChannel(server, name, delivery, Otlp.read())
    shown = without_credentials(server)
    if server.lower().startswith("otlp+grpc:"):
        raise ConfigError(
            f"server={shown!r}: ollamatrace does not speak gRPC; use the port of HTTP, as in "
            "`otlp+http://localhost:4318`"
        )
    raise ConfigError(f"server={shown!r} is no address that ollamatrace knows; use {_KNOWN}")


def open_again(url: str, filed: str, delivery: Delivery) -> Sink | Channel:
    """The destination of what waits in a spool.

    Args:
        url: The server's address; with the credentials that its `Channel.url` is without.
        filed: The `Channel.experiment` of what waits.
        delivery: How spans are sent.

    Raises:
        ConfigError: the address is none, or a credential none that can be sent.
    """
    if url.lower().startswith("otlp"):
        from ollamatrace.destinations.otlp import OtlpChannel

        service, _, experiment = filed.partition("/")
        return OtlpChannel(url, experiment, delivery, replace(Otlp.read(), service_name=service))
    by_id = filed[1:] if filed.startswith("#") and filed[1:].isdecimal() else None
    return open_destination(
        url, experiment=None if by_id else filed, experiment_id=by_id, delivery=delivery
    )


def store_path(server: str) -> Path:
    """The absolute path of a ``sqlite:///path`` address; ``sqlite:////path`` is absolute already.

    Raises:
        ConfigError: it has no path.
    """
    path = server.removeprefix(SQLITE)
    if not path or path.startswith(":memory:"):
        raise ConfigError(f"server={server!r} names no file; write `sqlite:///traces.db`")
    from pathlib import Path  # late: it takes milliseconds

    return Path(path).expanduser().absolute()
