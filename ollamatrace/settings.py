"""Frozen settings of a tracer, and the environment, read here and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ollamatrace.errors import ConfigError

_MIN_LEAF_BYTES = 64


@dataclass(frozen=True, slots=True)
class Capture:
    """What of a call is recorded.

    Args:
        max_leaf_bytes: The longest single text or blob; what is longer is cut, and the span says
            so. The shape around it stays.
    """

    max_leaf_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.max_leaf_bytes < _MIN_LEAF_BYTES:
            raise ConfigError(f"max_leaf_bytes must be {_MIN_LEAF_BYTES} or more")


@dataclass(frozen=True, slots=True)
class Delivery:
    """How much may wait, and for how long.

    Args:
        max_spans: The most spans that wait in memory; a new span beyond that is dropped, counted.
        max_bytes: The most bytes that they may take.
        delay_s: The longest time in seconds before a span is on its way.
    """

    max_spans: int = 100_000
    max_bytes: int = 256 * 1024 * 1024
    delay_s: float = 0.2

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says."""

    server: str | None
    experiment: str
    disabled: bool
    strict: bool
    warning: str | None

    @classmethod
    def read(cls) -> Environment:
        """Read ``OLLAMATRACE_*``, else what MLflow's own client reads."""
        server = os.environ.get("OLLAMATRACE_SERVER") or None
        warning = None
        tracking = os.environ.get("MLFLOW_TRACKING_URI") or None
        if server is None and tracking is not None:
            if tracking.startswith(("http://", "https://")):
                server = tracking
            else:
                warning = (
                    f"MLFLOW_TRACKING_URI={tracking} is passed over: traces go to a server only "
                    "(http://…); set OLLAMATRACE_SERVER to say where they should go"
                )
        return cls(
            server=server,
            experiment=os.environ.get("OLLAMATRACE_EXPERIMENT")
            or os.environ.get("MLFLOW_EXPERIMENT_NAME")
            or "Default",
            disabled=_flag("OLLAMATRACE_DISABLED"),
            strict=_flag("OLLAMATRACE_STRICT"),
            warning=warning,
        )


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def default_store() -> Path:
    """The embedded store's file in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("ollamatrace", appauthor=False) / "ollamatrace.db"
