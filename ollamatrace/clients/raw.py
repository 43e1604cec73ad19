"""Responses that the program reads itself: ``with_raw_response``, ``with_streaming_response``.

The program gets the SDK's own response, whose body is heard as the program reads it.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any, Protocol

from ollamatrace.clients.readers import reader
from ollamatrace.clients.subclasses import Ways


class Listener(Protocol):
    """Hears what becomes of a body. None of it raises."""

    @property
    def reads_body(self) -> bool:
        """Whether it wants to know what is in the body."""
        ...

    def piece(self, data: bytes) -> None:
        """The program gets `data`, the next piece."""
        ...

    def parsed(self, stream: Any) -> Any:
        """The SDK made `stream` of the body; gives what the program gets instead, if a stream."""
        ...

    def exhausted(self) -> None:
        """It was read to its end."""
        ...

    def failed(self, error: BaseException) -> None:
        """Reading raised."""
        ...

    def body_closed(self, http: Any) -> None:
        """`http`, the response, was closed."""
        ...

    def dropped(self) -> None:
        """Nobody holds it any more."""
        ...


def traced_response(response: Any, listener: Listener) -> Any:
    """Make the traced form of an SDK's raw response, whose body has not been read."""
    hear_closing(response, "http_response", listener)
    ways = _AsyncParse if inspect.iscoroutinefunction(response.parse) else _SyncParse
    return ways.around(response, (listener, {}))


def hear_closing(holder: Any, name: str, listener: Any) -> None:
    """Have `listener` hear of the HTTP response that `holder` has under `name`."""
    http = getattr(holder, name, None)
    if hasattr(http, "aiter_bytes") and not isinstance(http, _BodyWays):
        setattr(holder, name, _BodyWays.around(http, listener))


def content_of(http: Any) -> bytes | None:
    """The body of an HTTP response if it has been read, decompressed."""
    try:
        content: bytes = http.content
    except Exception:  # noqa: BLE001  each library has its own for a body that was not read
        return None
    return content


class _BodyWays(Ways):
    """The ways in which a body is read, all of which come here, and ends."""

    __slots__ = ()

    def iter_bytes(self, *args: Any, **kwargs: Any) -> Any:
        outer: Any = super()
        pieces = outer.iter_bytes(*args, **kwargs)
        return self._heard(pieces) if self._ollamatrace.reads_body else pieces

    @reader
    def _heard(self, pieces: Generator[bytes]) -> Generator[bytes]:
        listener = self._ollamatrace
        try:
            with contextlib.closing(pieces):
                for piece in pieces:
                    listener.piece(piece)
                    yield piece
        except BaseException as error:
            listener.failed(error)
            raise
        listener.exhausted()

    def aiter_bytes(self, *args: Any, **kwargs: Any) -> Any:
        outer: Any = super()
        pieces = outer.aiter_bytes(*args, **kwargs)
        return self._aheard(pieces) if self._ollamatrace.reads_body else pieces

    @reader
    async def _aheard(self, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        listener = self._ollamatrace
        try:
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    listener.piece(piece)
                    yield piece
        except BaseException as error:
            listener.failed(error)
            raise
        listener.exhausted()

    def close(self) -> Any:
        try:
            outer: Any = super()
            return outer.close()
        finally:
            self._ollamatrace.body_closed(self)

    async def aclose(self) -> Any:
        try:
            outer: Any = super()
            return await outer.aclose()
        finally:
            self._ollamatrace.body_closed(self)

    def __del__(self) -> None:
        self._ollamatrace.dropped()


class _ParseWays(Ways):
    """What a raw response is parsed to is traced if it is a stream, and the same each time."""

    __slots__ = ()

    def _traced(self, parsed: Any) -> Any:
        listener, streams = self._ollamatrace
        if id(parsed) not in streams:
            streams[id(parsed)] = parsed, listener.parsed(parsed) or parsed
        return streams[id(parsed)][1]


class _SyncParse(_ParseWays):
    __slots__ = ()

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        outer: Any = super()
        return self._traced(outer.parse(*args, **kwargs))


class _AsyncParse(_ParseWays):
    __slots__ = ()

    async def parse(self, *args: Any, **kwargs: Any) -> Any:
        outer: Any = super()
        return self._traced(await outer.parse(*args, **kwargs))
