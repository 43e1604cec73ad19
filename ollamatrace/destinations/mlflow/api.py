"""Requests to an MLflow server, and its answers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson

from ollamatrace.destinations import http
from ollamatrace.destinations.mlflow.address import Address
from ollamatrace.destinations.mlflow.answers import Stranger, Unstored, failure
from ollamatrace.destinations.mlflow.connection import headers, open_transport, timeouts
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.settings import Access

Method = Literal["GET", "POST", "PUT", "PATCH"]
Params = Mapping[str, str | list[str]]

_JSON: Final = "application/json"
_SPANS: Final = "/v1/traces"
_MAX_BODY: Final = 256 * 1024 * 1024
_MAX_ERROR: Final = 64 * 1024
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ERRORS: Final = 400

_abandoned: Final[list[object]] = []


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
        self._address = address
        self._access = access
        self._headers = headers(address, access)
        self._timeout_s = timeout_s
        self._transport: http.HTTPTransport | None = None
        self._opening = threading.Lock()

    def prepare(self) -> None:
        """Import what requests need, and read the certificates."""
        import encodings.idna  # noqa: F401  # pyright: ignore[reportUnusedImport]  # host names

        self._open()

    def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON that the server answers."""
        return self._json(path, self._exchange("GET", path, params=params))

    def post(self, path: str, value: Any) -> Any:
        """Post `value` as JSON; the JSON that the server answers."""
        body = orjson.dumps(value)
        return self._json(path, self._exchange("POST", path, body, {"content-type": _JSON}))

    def patch(self, path: str, value: Any) -> None:
        """Send `value` as JSON to change something."""
        self._exchange("PATCH", path, orjson.dumps(value), {"content-type": _JSON})

    def text(self, path: str) -> str:
        """What the server answers, as text."""
        return self._exchange("GET", path).decode("utf-8", "replace")

    def greet(self, path: str) -> tuple[Mapping[str, str], float]:
        """The headers of an answer, whatever it says, and how many seconds it took."""
        request = self._request("GET", path)
        began = time.monotonic()
        response, _ = self._sent(request)
        return response.headers, time.monotonic() - began

    def spans(self, body: bytes, experiment_id: str) -> None:
        """Bring spans (OTLP as JSON) to an experiment; what is answered says nothing."""
        fields = {"content-type": _JSON, "x-mlflow-experiment-id": experiment_id}
        try:
            self._exchange("POST", _SPANS, body, fields)
        except Unstored:  # a storage that failed once
            self._exchange("POST", _SPANS, body, fields)

    def put(self, path: str, blob: bytes) -> None:
        """Upload a file."""
        self._exchange("PUT", path, blob, {"content-type": "application/octet-stream"})

    def close(self) -> None:
        """Close the connections; a later request opens others."""
        with self._opening:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def abandon(self) -> None:
        """Leave the connections, in the child of a fork, to the parent."""
        _abandoned.append(self._transport)  # closing TLS would tell the server
        self._transport = None
        self._opening = threading.Lock()

    def _open(self) -> http.HTTPTransport:
        with self._opening:
            if self._transport is None:
                self._transport = open_transport(self._address, self._access)
            return self._transport

    def _json(self, path: str, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Stranger(
                f"{self.url}{path} does not answer with JSON: no MLflow server answers there; "
                "check the address"
            ) from None

    def _exchange(
        self,
        method: Method,
        path: str,
        content: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        *,
        params: Params | None = None,
    ) -> bytes:
        """One request; the body of a successful answer."""
        request = self._request(method, path, content, fields, params=params)
        for _ in range(_MAX_REDIRECTS + 1):
            response, body = self._sent(request)
            if response.status_code not in _REDIRECTS:
                break
            request = self._redirected(request, response, content)
        else:
            raise Denied(f"{self.url}{path} redirects in a circle; check the address")
        if response.status_code < _ERRORS:
            return body
        logged_in = "authorization" in self._headers
        raise failure(response, body, f"{self.url}{path}", logged_in=logged_in)

    def _request(
        self,
        method: Method,
        path: str,
        content: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        *,
        params: Params | None = None,
    ) -> http.Request:
        try:
            return http.Request(
                method,
                self.url + path,
                params=params,
                headers={**self._headers, **(fields or {})},
                content=content,
                extensions={"timeout": timeouts(self._timeout_s)},
            )
        except (http.InvalidURL, UnicodeError) as error:
            raise Denied(f"{self.url} is no address that can be asked: {error}") from None

    def _redirected(
        self, request: http.Request, response: http.Response, content: bytes | None
    ) -> http.Request:
        """The same request at its new address, if that is of the same server."""
        try:
            target = request.url.join(response.headers.get("location", ""))
        except http.InvalidURL:
            target = http.URL("")
        if (target.scheme, target.netloc) != (request.url.scheme, request.url.netloc):
            # Credentials and prompts go nowhere else.
            raise Denied(
                f"{self.url}{request.url.path} redirects to "
                f"{target.scheme}://{target.host}{target.path}: set the server's own address"
            )
        return http.Request(
            request.method,
            target,
            headers=request.headers,
            content=content,
            extensions=request.extensions,
        )

    def _sent(self, request: http.Request) -> tuple[http.Response, bytes]:
        transport = self._open()
        try:
            try:
                return self._answered(transport, request)
            except (http.ReadError, http.WriteError, http.RemoteProtocolError):
                # A connection that the server had closed; a request may come twice here.
                return self._answered(transport, request)
        except http.TransportError as error:
            raise self._unreachable(error, request.url.path) from None
        except http.DecodingError as error:
            raise Unavailable(
                f"{self.url}{request.url.path} answers with what cannot be read: {error}"
            ) from None
        except (http.InvalidURL, UnicodeError) as error:
            raise Denied(f"{self.url} is no address that can be asked: {error}") from None
        except RuntimeError as error:  # closed meanwhile by another thread
            raise Unavailable(f"{self.url}: {error}") from None

    def _answered(
        self, transport: http.HTTPTransport, request: http.Request
    ) -> tuple[http.Response, bytes]:
        """The answer with its body, of which no more is read than makes sense."""
        response = transport.handle_request(request)
        _acknowledge(response)
        try:
            failed = response.status_code >= _ERRORS
            most = _MAX_ERROR if failed else _MAX_BODY
            deadline = time.monotonic() + self._timeout_s
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > most:
                    if failed:
                        break
                    raise Refused(f"{self.url} answers with more than {most:,} bytes")
                if time.monotonic() > deadline:
                    raise Unavailable(self._slow)
            return response, bytes(body)
        finally:
            response.close()

    @property
    def _slow(self) -> str:
        return f"{self.url} did not answer within {self._timeout_s:g} s"

    def _unreachable(self, error: http.TransportError, path: str) -> Unavailable | Denied:
        if isinstance(error, http.ConnectTimeout):
            return Unavailable(f"no connection to {self.url}: it did not answer in time")
        if isinstance(error, http.TimeoutException):
            return Unavailable(self._slow)
        if isinstance(error, http.LocalProtocolError | http.UnsupportedProtocol):
            return Denied(f"{self.url}{path} cannot be asked: {error}")
        if isinstance(error, http.ConnectError):
            return self._unconnected(error)
        told = str(error) or type(error).__name__
        return Unavailable(f"the connection to {self.url} broke: {told}")

    def _unconnected(self, error: http.ConnectError) -> Unavailable | Denied:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Denied(
                f"the certificate of {self.url} is not trusted ({cause.verify_message}); set "
                "MLFLOW_TRACKING_SERVER_CERT_PATH to the file of its authority"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return Denied(f"{self.url} does not speak TLS; use http://")
        return Unavailable(f"no connection to {self.url}: {error}")


def _acknowledge(response: http.Response) -> None:
    """Tell the server at once that the head of its answer has come, where the system can do that.

    MLflow sends the body in a packet of its own, which waits for that, and systems wait 40 ms with
    it: more than the rest of a request takes.
    """
    stream: Any = response.extensions.get("network_stream")
    option: Any = getattr(socket, "TCP_QUICKACK", None)
    if stream is not None and option is not None:
        with contextlib.suppress(OSError, AttributeError):
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, 1)
