"""Where spans and metrics go and how, from a server's address and the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args
from urllib.parse import parse_qsl, urlsplit

from ollamatrace.destinations.connection import Trust, basic, check_header, standing_headers
from ollamatrace.destinations.otlp.pairs import pairs
from ollamatrace.destinations.server_address import Address
from ollamatrace.errors import ConfigError
from ollamatrace.settings import Otlp

Names = Literal["genai", "openinference"]

HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
_FROM_ENVIRONMENT: Final = "otlp:"
_TRACES: Final = "/v1/traces"
_METRICS: Final = "/v1/metrics"
_DEFAULT: Final = "http://localhost:4318"
_GRPC_PORT: Final = 4317
_PORTS: Final = {"http": 80, "https": 443}
_FORM: Final = "an OTLP server reads `otlp+http://host:4318`"
_NAMED_FORM: Final = "OTEL_EXPORTER_OTLP_ENDPOINT reads `http://host:4318`, without a query"
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~")
"""What the name of a header may have beside letters and digits."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where spans, or metrics, go, and how.

    Attributes:
        address: The address to which they are posted.
        url: The same as a server's address of ours, without credentials.
        headers: What every request carries.
        trust: Certificates.
        names: Whose names the attributes have.
        is_json: The body is JSON, else protobuf.
        is_gzip: It is compressed.
        timeout_s: How long the server may take to answer.
        is_withheld: There are headers in the environment, which are for another server.
    """

    address: Address
    url: str
    headers: dict[str, str] = field(repr=False)
    trust: Trust
    names: Names
    is_json: bool
    is_gzip: bool
    timeout_s: float
    is_withheld: bool

    @classmethod
    def of_metrics(cls, server: str, otlp: Otlp, timeout_s: float) -> Target | None:
        """Where metrics go; ``None``: nowhere.

        That is where the environment says for metrics alone, else the server of the spans.

        Args:
            server: As in `parse`.
            otlp: The environment, as it is for spans.
            timeout_s: As in `parse`.

        Raises:
            ConfigError: something of it cannot work.
        """
        said = otlp.metrics
        if said is None:
            return None
        is_named = server.partition("?")[0].lower() == _FROM_ENVIRONMENT
        if said.own_endpoint is not None:
            server = _FROM_ENVIRONMENT
        elif is_named and otlp.own_endpoint is not None and otlp.endpoint is None:
            return None  # an address for traces alone says nothing of metrics
        return cls.parse(server, said, timeout_s, _METRICS)

    @classmethod
    def parse(cls, server: str, otlp: Otlp, timeout_s: float, path: str = _TRACES) -> Target:
        """Put together what `server` and the environment say.

        Args:
            server: ``otlp+http://…``, ``otlp+https://…``, or ``otlp:`` for what the environment
                names; behind it may be ``?names=openinference``.
            otlp: The environment. Its headers and the client's certificate go only to the server
                that it names itself.
            timeout_s: How long the server may take if the environment does not say.
            path: What is added to an address.

        Raises:
            ConfigError: something of it cannot work.
        """
        given, _, query = server.partition("?")
        names = _names(query)
        named = _named(otlp, path)
        is_named = given.lower() == _FROM_ENVIRONMENT
        # Where an address is given, the environment may be that of another exporter, over gRPC.
        is_json = _is_json(otlp.protocol, is_asked=is_named)
        endpoint = named if is_named else _with_path(given[len("otlp+") :], path)
        address = _parsed(endpoint, _NAMED_FORM if is_named else _FORM)
        is_ours = is_named or _origin(endpoint) == _origin(named)
        return cls(
            address=address,
            url=f"otlp+{address.url}" + ("" if names == "genai" else f"?names={names}"),
            headers=_headers(address, otlp.headers if is_ours else None),
            trust=Trust(
                authorities=otlp.certificate,
                authorities_by="OTEL_EXPORTER_OTLP_CERTIFICATE",
                own=otlp.client_certificate if is_ours else None,
                own_key=otlp.client_key,
                own_by="OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE or _CLIENT_KEY",
            ),
            names=names,
            is_json=is_json,
            is_gzip=_is_gzip(otlp.compression),
            timeout_s=_timeout(otlp.timeout, timeout_s),
            is_withheld=otlp.headers is not None and not is_ours,
        )


def _named(otlp: Otlp, path: str) -> str:
    """The address that the environment names."""
    if otlp.own_endpoint is not None:
        return otlp.own_endpoint
    return (otlp.endpoint or _DEFAULT).rstrip("/") + path


def _with_path(server: str, path: str) -> str:
    return server.partition("#")[0].rstrip("/").removesuffix(_TRACES) + path


def _parsed(endpoint: str, form: str) -> Address:
    if "?" in endpoint:
        raise ConfigError(f"the address of {form}; a key goes into {HEADERS}")
    address = Address.parse(endpoint, form)
    parts = urlsplit(address.url)
    if parts.port == _GRPC_PORT:
        raise ConfigError(
            f"port {_GRPC_PORT} is that of gRPC, which ollamatrace does not speak; use the port "
            f"of HTTP: `otlp+{parts.scheme}://{parts.hostname}:4318`"
        )
    return address


def _origin(endpoint: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port


def _names(query: str) -> Names:
    asked = parse_qsl(query, keep_blank_values=True)
    name = asked[0][1] if [key for key, _ in asked] == ["names"] else ""
    if query and name not in get_args(Names):
        raise ConfigError(
            "what may follow an OTLP server's address is `?names=openinference` or `?names=genai`"
        )
    return cast("Names", name or "genai")


def _is_json(protocol: str | None, *, is_asked: bool) -> bool:
    if protocol == "grpc" and is_asked:
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: ollamatrace speaks HTTP; set it to http/protobuf, "
            "and OTEL_EXPORTER_OTLP_ENDPOINT to the port of HTTP, 4318"
        )
    if protocol not in (None, "http/protobuf", "http/json", "grpc"):
        raise ConfigError("OTEL_EXPORTER_OTLP_PROTOCOL is `http/protobuf` or `http/json`")
    return protocol == "http/json"


def _is_gzip(compression: str | None) -> bool:
    if compression not in (None, "gzip", "none"):
        raise ConfigError("OTEL_EXPORTER_OTLP_COMPRESSION is `gzip` or `none`")
    return compression != "none"


def _timeout(text: str | None, timeout_s: float) -> float:
    if text is None:
        return timeout_s
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ConfigError("OTEL_EXPORTER_OTLP_TIMEOUT is a number of milliseconds, such as 10000")
    return int(text) / 1000


def _headers(address: Address, given: str | None) -> dict[str, str]:
    fixed = standing_headers()
    for name, value in pairs(HEADERS, given).items():
        if not name.isascii() or not all(char.isalnum() or char in _TOKEN for char in name):
            raise ConfigError(f"{HEADERS} has a name that no header can have")
        check_header(HEADERS, value)
        fixed[name.lower()] = value
    if address.username is not None:
        fixed["authorization"] = basic(address.username, address.password)
    return fixed
