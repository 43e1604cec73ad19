"""Streams as the program gets them: what they are, do and hold stays the SDK's own."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

from ollamatrace.clients.listener import Listener
from ollamatrace.clients.raw import hear_closing
from ollamatrace.clients.readers import reader
from ollamatrace.clients.subclasses import Ways
from ollamatrace.clients.wrapped import wrapped


def traced_stream(stream: Any, listener: Listener) -> Any:
    """Make the traced form of a stream that an SDK returned.

    An object of the SDK gets a subclass of its own class that shares its state. What can have none
    (a generator, another library's proxy, an iterator that a test returns) is wrapped.
    """
    # The SDK's helpers read the stream, but close the response behind it.
    hear_closing(stream, "response", listener)
    if type(stream) is not stream.__class__ or not hasattr(stream, "__dict__"):
        return wrapped(stream, listener)
    return _ways_of(stream).around(stream, listener)


def _ways_of(stream: Any) -> type[Ways]:
    if not hasattr(stream, "__anext__"):
        return _SyncWays
    return _AnyWays if hasattr(stream, "__next__") else _AsyncWays


class _StreamWays(Ways):
    __slots__ = ()

    def __del__(self) -> None:
        self._ollamatrace.dropped()


class _SyncWays(_StreamWays):
    """The ways in which a stream is read and ends."""

    __slots__ = ()

    @reader
    def __iter__(self) -> Any:
        """A generator as the SDK's own, which is closed without closing the stream.

        It does what `__next__` does once more: one call less for each of thousands of chunks.
        """
        listener, step = self._ollamatrace, super().__next__  # type: ignore[misc]
        while True:
            try:
                item = step()
            except StopIteration:
                listener.exhausted()
                return
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                yield item

    @reader
    def __next__(self) -> Any:
        listener = self._ollamatrace
        while True:
            try:
                item = super().__next__()  # type: ignore[misc]  # of the SDK's class behind
            except StopIteration:
                listener.exhausted()
                raise
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                return item

    def close(self) -> Any:
        self._ollamatrace.closed()
        outer: Any = super()
        return outer.close()


class _AsyncReads(_StreamWays):
    """The same for the asynchronous kind, but for its end."""

    __slots__ = ()

    @reader
    async def __aiter__(self) -> Any:
        listener, step = self._ollamatrace, super().__anext__  # type: ignore[misc]
        while True:
            try:
                item = await step()
            except StopAsyncIteration:
                listener.exhausted()
                return
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                yield item

    @reader
    async def __anext__(self) -> Any:
        listener = self._ollamatrace
        while True:
            try:
                item = await super().__anext__()  # type: ignore[misc]
            except StopAsyncIteration:
                listener.exhausted()
                raise
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                return item


class _AsyncWays(_AsyncReads):
    """And its end."""

    __slots__ = ()

    async def close(self) -> Any:
        self._ollamatrace.closed()
        outer: Any = super()
        return await outer.close()


class _AnyWays(_SyncWays, _AsyncReads):
    """Another tracer's stream, which may have all of them whatever is behind it."""

    __slots__ = ()
