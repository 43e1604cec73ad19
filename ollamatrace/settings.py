"""Frozen settings of a tracer, and the environment, read here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from ollamatrace.errors import ConfigError
from ollamatrace.records import Trace, utf8

if TYPE_CHECKING:
    from pathlib import Path

_MIN_LEAF_BYTES = 64
MIN_STORE_BYTES = 1024 * 1024
"""A store that is smaller would hold next to nothing."""


RuleName = Literal["email", "phone", "key", "card"]
"""A built-in rule of what is not to be recorded; see `ollamatrace.privacy`."""
Redact = Callable[[str], str] | RuleName
KeepName = Literal["errors", "warnings"]
"""A built-in rule of which traces are kept: one with an error, one with a warning."""
Keep = Callable[[Trace], object] | KeepName


@dataclass(frozen=True, slots=True)
class Capture:
    """What of a call is recorded.

    Args:
        content: ``False``: of inputs, outputs, attributes and exceptions only their shape and
            settings, and of each text its size and hash; names, tags, tokens and timings stay.
        redact: What is not to be recorded is taken out of every text by these: callables that
            are given a text and return what is recorded instead, and the names of built-in ones:
            ``"email"``, ``"phone"``, ``"key"`` (API keys, tokens, passwords) and ``"card"``.
        max_leaf_bytes: The longest single text or blob; what is longer is cut, and the span says
            so. The shape around it stays.
        stream_events: Each chunk of a stream is an event of its span, with when it came.
    """

    content: bool = True
    redact: tuple[Redact, ...] = ()
    max_leaf_bytes: int = 16 * 1024 * 1024
    stream_events: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "redact", _rules("redact", self.redact, get_args(RuleName)))
        if self.max_leaf_bytes < _MIN_LEAF_BYTES:
            raise ConfigError(f"max_leaf_bytes must be {_MIN_LEAF_BYTES} or more")


@dataclass(frozen=True, slots=True)
class Delivery:
    """How much may wait, and for how long.

    Args:
        max_spans: The most spans that wait in memory; a new span beyond that is dropped, counted.
        max_bytes: The most bytes that they may take.
        delay_s: The longest time in seconds before a span is on its way.
        spool_max_bytes: The most bytes that wait on disk for each server; the oldest are dropped.
        spool_max_age_s: How long in seconds spans wait on disk for their server.
        store_max_bytes: The most bytes of an embedded store; the oldest traces are deleted.
        store_max_age_s: How long in seconds after its end a trace stays in an embedded store.
        timeout_s: How long in seconds a server may take to answer one request.
        mode: ``"info"``: a request for each trace tells MLflow what spans cannot carry (metadata,
            previews, source); ``"throughput"``: spans only, several times as many a second.
    """

    max_spans: int = 100_000
    max_bytes: int = 256 * 1024 * 1024
    delay_s: float = 0.2
    spool_max_bytes: int = 1024 * 1024 * 1024
    spool_max_age_s: float = 7 * 24 * 3600.0
    store_max_bytes: int = 4 * 1024 * 1024 * 1024
    store_max_age_s: float = float("inf")
    timeout_s: float = 30.0
    mode: Literal["info", "throughput"] = "info"

    def __post_init__(self) -> None:
        if self.mode not in ("info", "throughput"):
            raise ConfigError(f'mode is "info" or "throughput", not {self.mode!r}')
        for name in self.__slots__:
            if name != "mode" and not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0, not {getattr(self, name)!r}")
        if self.store_max_bytes < MIN_STORE_BYTES:
            raise ConfigError(f"store_max_bytes must be {MIN_STORE_BYTES} or more")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which traces are recorded: whole ones, or nothing of them.

    It is decided by the trace id when a trace begins, as OpenTelemetry's ``TraceIdRatioBased``
    does; what begins below, in other processes too, follows (``traceparent``).

    Args:
        ratio: The share of the traces that are recorded, from 0 to 1.
        keep: Which of the others are recorded nevertheless, decided when the trace has ended:
            callables that are given the `Trace` and say so, and the names of built-in ones:
            ``"errors"`` and ``"warnings"``. Not asked about traces of other processes.

    Example:
        >>> Sampling(0.1, keep=("errors", lambda trace: len(trace.spans) > 100))
    """

    ratio: float = 1.0
    keep: tuple[Keep, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ConfigError(f"ratio is a share from 0 to 1, not {self.ratio!r}")
        object.__setattr__(self, "keep", _rules("keep", self.keep, get_args(KeepName)))


def _rules(setting: str, given: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Callables and names of built-in ones, as a tuple.

    Raises:
        ConfigError: one of them is neither.
    """
    if isinstance(given, str) or callable(given):
        raise ConfigError(f"{setting} takes several: {setting}=({given!r},)")
    rules = tuple(given)
    for rule in rules:
        if rule not in names and not callable(rule):
            known = ", ".join(map(repr, names))
            raise ConfigError(f"{setting} takes callables and {known}, not {rule!r}")
    return rules


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says.

    Attributes:
        server: Where traces go.
        experiment: What they are filed under; ``None`` if it does not say.
        experiment_id: The id of an experiment on an MLflow server, if no name is given.
        disabled: Nothing is recorded.
        strict: Failures of ours are raised.
        warning: What was passed over, and why.
    """

    server: str | None
    experiment: str | None
    experiment_id: str | None
    disabled: bool
    strict: bool
    warning: str | None

    @classmethod
    def read(cls) -> Environment:
        """Read ``OLLAMATRACE_*``, else what MLflow's own client reads."""
        server = _text("OLLAMATRACE_SERVER")
        warning = None
        tracking = _text("MLFLOW_TRACKING_URI")
        if server is None and tracking is not None:
            if tracking.lower().startswith(("http://", "https://")):
                server = tracking
            else:
                warning = (
                    f"MLFLOW_TRACKING_URI={without_credentials(tracking)} is passed over: traces "
                    "go to a server only (http://…); set OLLAMATRACE_SERVER to say where they "
                    "should go"
                )
        return cls(
            server=server,
            experiment=_text("OLLAMATRACE_EXPERIMENT") or _text("MLFLOW_EXPERIMENT_NAME"),
            experiment_id=_text("MLFLOW_EXPERIMENT_ID"),
            disabled=is_disabled(),
            strict=_flag("OLLAMATRACE_STRICT"),
            warning=warning,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How to get at an MLflow server, as the environment tells MLflow's own client.

    See https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/.

    Attributes:
        username: For basic authentication, with `password`.
        password: See there.
        token: For ``Authorization: Bearer``, if there is no user name.
        insecure_tls: The server's certificate is not checked.
        server_cert_path: A file of the authorities that the server's certificate may be of.
        client_cert_path: A PEM file with the client's own certificate and key.
        workspace: The workspace to use; sent only if it is given.
    """

    username: str | None = None
    password: str | None = None
    token: str | None = None
    insecure_tls: bool = False
    server_cert_path: str | None = None
    client_cert_path: str | None = None
    workspace: str | None = None

    @classmethod
    def read(cls) -> Access:
        """Read the variables; without a user's name, ``~/.mlflow/credentials``."""
        get = os.environ.get
        username = get("MLFLOW_TRACKING_USERNAME") or None
        password = get("MLFLOW_TRACKING_PASSWORD") or None
        token = get("MLFLOW_TRACKING_TOKEN") or None
        if username is None and token is None:
            username, password = _credentials_file()
        return cls(
            username=username,
            password=password,
            token=token,
            insecure_tls=_flag("MLFLOW_TRACKING_INSECURE_TLS"),
            server_cert_path=get("MLFLOW_TRACKING_SERVER_CERT_PATH") or None,
            client_cert_path=get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None,
            workspace=get("MLFLOW_WORKSPACE") or None,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Otlp:
    """What the environment tells all exporters of OpenTelemetry; read only for `otlp` servers.

    See https://opentelemetry.io/docs/specs/otel/protocol/exporter/. All are as they stand there.

    Attributes:
        endpoint: The server, to which the path of traces, or of metrics, is added.
        own_endpoint: The address for what this is about alone, as it is.
        headers: ``key=value,key=value``.
        protocol: ``http/protobuf``, ``http/json`` or ``grpc``.
        compression: ``gzip`` or ``none``.
        timeout: How long the server may take, in milliseconds.
        certificate: A file of the authorities that the server's certificate may be of.
        client_certificate: A file with the client's own certificate.
        client_key: A file with its key.
        service_name: The name of the program.
        resource_attributes: ``key=value,key=value``.
        metrics: The same for metrics; ``None``: they go elsewhere, or nowhere.
    """

    endpoint: str | None = None
    own_endpoint: str | None = None
    headers: str | None = None
    protocol: str | None = None
    compression: str | None = None
    timeout: str | None = None
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    service_name: str | None = None
    resource_attributes: str | None = None
    metrics: Otlp | None = None

    @classmethod
    def read(cls) -> Otlp:
        """Read the variables; those for traces alone, or for metrics, beat those for everything."""
        exporters = (_text("OTEL_METRICS_EXPORTER") or "otlp").split(",")
        measures = "otlp" in [name.strip() for name in exporters]
        traces = cls._of("TRACES", _text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        if not measures:
            return traces
        metrics = cls._of("METRICS", _text("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"))
        return replace(traces, metrics=metrics)

    @classmethod
    def _of(cls, signal: Literal["TRACES", "METRICS"], own_endpoint: str | None) -> Otlp:
        def said(name: str) -> str | None:
            return _text(name.replace("_OTLP_", f"_OTLP_{signal}_")) or _text(name)

        return cls(
            endpoint=_text("OTEL_EXPORTER_OTLP_ENDPOINT"),
            own_endpoint=own_endpoint,
            headers=said("OTEL_EXPORTER_OTLP_HEADERS"),
            protocol=said("OTEL_EXPORTER_OTLP_PROTOCOL"),
            compression=said("OTEL_EXPORTER_OTLP_COMPRESSION"),
            timeout=said("OTEL_EXPORTER_OTLP_TIMEOUT"),
            certificate=said("OTEL_EXPORTER_OTLP_CERTIFICATE"),
            client_certificate=said("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
            client_key=said("OTEL_EXPORTER_OTLP_CLIENT_KEY"),
            service_name=_text("OTEL_SERVICE_NAME"),
            resource_attributes=_text("OTEL_RESOURCE_ATTRIBUTES"),
        )


def _credentials_file() -> tuple[str | None, str | None]:
    """User name and password from the file that MLflow's own client reads."""
    from configparser import ConfigParser, Error
    from pathlib import Path

    parser = ConfigParser(interpolation=None)
    try:
        parser.read(Path.home() / ".mlflow" / "credentials", "utf-8")
        section = parser["mlflow"]
    except (Error, KeyError, OSError, RuntimeError, UnicodeDecodeError):
        return None, None
    return section.get("mlflow_tracking_username"), section.get("mlflow_tracking_password")


def without_credentials(address: str) -> str:
    """An address as it may be shown: without user, password and query, wherever the ``@`` is."""
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"


def _text(name: str) -> str | None:
    """A variable, without blanks around it; what is no UTF-8 in it is escaped."""
    return utf8(os.environ.get(name, "")).strip() or None


def is_disabled() -> bool:
    """Whether the environment says that nothing is recorded."""
    return _flag("OLLAMATRACE_DISABLED")


def variables(*, are_of_otlp: bool = False) -> list[str]:
    """The names of the variables of ours and of MLflow's that are set; never what they hold.

    Args:
        are_of_otlp: Those of OpenTelemetry's instead, which are read for `otlp` servers only.
    """
    prefixes = ("OLLAMATRACE_", "MLFLOW_TRACKING_", "MLFLOW_EXPERIMENT_", "MLFLOW_WORKSPACE")
    if are_of_otlp:
        prefixes = ("OTEL_EXPORTER_OTLP_", "OTEL_METRICS_", "OTEL_SERVICE_", "OTEL_RESOURCE_")
    return sorted(name for name, value in os.environ.items() if name.startswith(prefixes) and value)


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def default_spool() -> Path:
    """The folder in the user's data folder where spans wait for their servers.

    Raises:
        ConfigError: the user has no home folder.
    """
    return default_store().parent / "spool"


def default_store() -> Path:
    """The embedded store's file in the user's data folder.

    Raises:
        ConfigError: the user has no home folder.
    """
    from pathlib import Path

    from platformdirs import user_data_path

    try:
        folder = user_data_path("ollamatrace", appauthor=False)
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():  # some versions leave the `~` in it
        raise ConfigError("there is no home folder for the data folder: set HOME or XDG_DATA_HOME")
    return folder / "ollamatrace.db"
