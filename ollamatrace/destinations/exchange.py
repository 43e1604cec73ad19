"""Requests to one server, and its answers."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from ollamatrace.destinations import http
from ollamatrace.destinations.connection import Trust, open_transport, timeouts
from ollamatrace.destinations.server_address import Address
from ollamatrace.pipeline import Denied, Refused, Unavailable

Method = Literal["GET", "POST", "PUT", "PATCH"]
Params = Mapping[str, str | list[str]]
Failure = Callable[["http.Response", bytes, str], Unavailable | Refused | Denied]
"""What an answer with an error status means: the answer, its body, the address that was asked."""

_MAX_BODY: Final = 256 * 1024 * 1024
_MAX_ERROR: Final = 64 * 1024
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ERRORS: Final = 400

_abandoned: Final[list[object]] = []


class Exchange:
    """Sends requests to one server; for any number of threads.

    Whatever fails is raised as `Unavailable`, `Refused` or `Denied`, with one line that says what
    happened at which address.

    Args:
        address: The server.
        headers: What every request carries.
        trust: Certificates.
        timeout_s: How long the server may take to answer.
        failure: Tells what an answer with an error status means.
    """

    def __init__(
        self,
        address: Address,
        headers: Mapping[str, str],
        trust: Trust,
        timeout_s: float,
        failure: Failure,
    ) -> None:
        self.url = address.url
        """The address without credentials."""
        self._address = address
        self._headers = headers
        self._trust = trust
        self._timeout_s = timeout_s
        self._failure = failure
        self._transport: http.HTTPTransport | None = None
        self._opening = threading.Lock()

    def prepare(self) -> None:
        """Import what requests need, and read the certificates."""
        import encodings.idna  # noqa: F401  # pyright: ignore[reportUnusedImport]  # host names

        self._open()

    def ask(
        self,
        method: Method,
        path: str = "",
        content: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        *,
        params: Params | None = None,
    ) -> bytes:
        """Make one request; the body of a successful answer.

        Args:
            method: The verb.
            path: What follows the server's address.
            content: The body.
            fields: Headers for this request.
            params: The query.
        """
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
        raise self._failure(response, body, f"{self.url}{path}")

    def greet(self, path: str) -> tuple[Mapping[str, str], float]:
        """The headers of an answer, whatever it says, and how many seconds it took."""
        request = self._request("GET", path)
        began = time.monotonic()
        response, _ = self._sent(request)
        return response.headers, time.monotonic() - began

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
                self._transport = open_transport(self._address, self._trust)
            return self._transport

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
                _parsed(self.url + path),
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
                f"{self._trust.authorities_by} to the file of its authority"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return Denied(f"{self.url} does not speak TLS; use http://")
        return Unavailable(f"no connection to {self.url}: {error}")


@functools.lru_cache(maxsize=16)
def _parsed(url: str) -> http.URL:
    """An address taken apart, which takes a tenth of a request: most go to the same few."""
    return http.URL(url)


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
