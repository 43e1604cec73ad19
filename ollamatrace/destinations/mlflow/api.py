"""Requests to an MLflow server, and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import orjson

from ollamatrace.destinations.exchange import Exchange, Params
from ollamatrace.destinations.mlflow.answers import Stranger, Unstored, failure
from ollamatrace.destinations.mlflow.login import headers, trust
from ollamatrace.destinations.server_address import Address
from ollamatrace.settings import Access

_JSON: Final = "application/json"
_SPANS: Final = "/v1/traces"


class Api:
    """Sends requests to one server; for any number of threads.

    Whatever fails is raised as `Unavailable`, `Refused` or `Denied`, with one line that says what
    happened at which address.

    Args:
        address: The server.
        access: Credentials, TLS and workspace; credentials in the address beat these.
        timeout_s: How long the server may take to answer.

    Raises:
        ConfigError: something that no header can carry.
    """

    def __init__(self, address: Address, access: Access, timeout_s: float) -> None:
        self.url = address.url
        """The address without credentials."""
        fixed = headers(address, access)
        told = partial(failure, logged_in="authorization" in fixed)
        self._exchange = Exchange(address, fixed, trust(access), timeout_s, told)

    def prepare(self) -> None:
        """Import what requests need, and read the certificates."""
        self._exchange.prepare()

    def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON that the server answers."""
        return self._json(path, self._exchange.ask("GET", path, params=params))

    def post(self, path: str, value: Any) -> Any:
        """Post `value` as JSON; the JSON that the server answers."""
        body = orjson.dumps(value)
        return self._json(path, self._exchange.ask("POST", path, body, {"content-type": _JSON}))

    def patch(self, path: str, value: Any) -> None:
        """Send `value` as JSON to change something."""
        self._exchange.ask("PATCH", path, orjson.dumps(value), {"content-type": _JSON})

    def text(self, path: str) -> str:
        """What the server answers, as text."""
        return self._exchange.ask("GET", path).decode("utf-8", "replace")

    def greet(self, path: str) -> tuple[Mapping[str, str], float]:
        """The headers of an answer, whatever it says, and how many seconds it took."""
        return self._exchange.greet(path)

    def spans(self, body: bytes, experiment_id: str) -> None:
        """Bring spans (OTLP as JSON) to an experiment; what is answered says nothing."""
        fields = {"content-type": _JSON, "x-mlflow-experiment-id": experiment_id}
        try:
            self._exchange.ask("POST", _SPANS, body, fields)
        except Unstored:  # a storage that failed once
            self._exchange.ask("POST", _SPANS, body, fields)

    def put(self, path: str, blob: bytes) -> None:
        """Upload a file."""
        self._exchange.ask("PUT", path, blob, {"content-type": "application/octet-stream"})

    def close(self) -> None:
        """Close the connections; a later request opens others."""
        self._exchange.close()

    def abandon(self) -> None:
        """Leave the connections, in the child of a fork, to the parent."""
        self._exchange.abandon()

    def _json(self, path: str, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Stranger(
                f"{self.url}{path} does not answer with JSON: no MLflow server answers there; "
                "check the address"
            ) from None
