"""Streams whose class can have no subclass: Ollama's generators, another library's proxies."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final

from ollamatrace.clients.listener import Listener
from ollamatrace.clients.readers import reader

_CLOSING: Final = frozenset({"close", "aclose"})


def wrapped(stream: Any, listener: Listener) -> Any:
    """An object in front of `stream` that tells `listener` what happens."""
    if isinstance(stream, types.GeneratorType):
        return _TracedGenerator(stream, listener)
    if isinstance(stream, types.AsyncGeneratorType):
        return _TracedAsyncGenerator(stream, listener)
    if not hasattr(stream, "__anext__"):
        return _Iterator(stream, listener)
    return (_BothIterator if hasattr(stream, "__next__") else _AsyncIterator)(stream, listener)


class _Wrapped:
    """What all of them have in common: they are, hold and do what the stream does."""

    __slots__ = ("__weakref__", "_listener", "_stream")

    def __init__(self, stream: Any, listener: Listener) -> None:
        self._stream = stream
        self._listener = listener

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._stream.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _Wrapped.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._stream, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._stream)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._stream.__reduce_ex__(protocol)  # raises what a generator raises

    def __repr__(self) -> str:
        return repr(self._stream)

    def __del__(self) -> None:
        self._listener.dropped()


class _Read(_Wrapped):
    """What is read step by step."""

    __slots__ = ()

    @reader
    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        listener = self._listener
        while True:
            try:
                item = step(*args)
            except StopIteration:
                listener.exhausted()
                raise
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                return item

    @reader
    def __next__(self) -> Any:  # as `_step`, but for a call less at each of thousands of chunks
        listener = self._listener
        while True:
            try:
                item = next(self._stream)
            except StopIteration:
                listener.exhausted()
                raise
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                return item


class _AsyncRead(_Wrapped):
    """The same for the asynchronous kind."""

    __slots__ = ()

    @reader
    async def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        listener = self._listener
        while True:
            try:
                item = await step(*args)
            except StopAsyncIteration:
                listener.exhausted()
                raise
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                return item

    @reader
    async def __anext__(self) -> Any:  # as above
        listener = self._listener
        while True:
            try:
                item = await anext(self._stream)
            except StopAsyncIteration:
                listener.exhausted()
                raise
            except BaseException as error:
                listener.failed(error)
                raise
            if not listener.chunk(item):
                return item


class _TracedGenerator(_Read, Generator[Any, Any, Any]):
    __slots__ = ()

    def send(self, value: Any) -> Any:
        return self._step(self._stream.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._stream.throw, *error)

    def close(self) -> None:
        self._stream.close()  # raises if it is running in another thread: then it goes on
        self._listener.closed()


class _TracedAsyncGenerator(_AsyncRead, AsyncGenerator[Any, Any]):
    __slots__ = ()

    async def asend(self, value: Any) -> Any:
        return await self._step(self._stream.asend, value)

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._stream.athrow, *error)

    async def aclose(self) -> None:
        await self._stream.aclose()  # as above
        self._listener.closed()


_TracedGenerator.__name__ = "generator"  # as messages name it
_TracedAsyncGenerator.__name__ = "async_generator"


class _AnyIterator(_Wrapped):
    """What is no generator, but iterated all the same."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._stream, name)
        return _closing(value, self._listener) if name in _CLOSING else value


class _Iterator(_AnyIterator, _Read):
    __slots__ = ()

    def __iter__(self) -> Any:
        return self

    def __enter__(self) -> Any:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        self._listener.closed()
        return self._stream.__exit__(*error)


class _AsyncIterator(_AnyIterator, _AsyncRead):
    __slots__ = ()

    def __aiter__(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        self._listener.closed()
        return await self._stream.__aexit__(*error)


class _BothIterator(_Iterator, _AsyncIterator):
    """Another tracer's proxy, which has both whatever is behind it."""

    __slots__ = ()

    async def __anext__(self) -> Any:
        return await _AsyncRead._step(self, self._stream.__anext__)


def _closing(close: Callable[..., Any], listener: Listener) -> Callable[..., Any]:
    def closed(*args: Any, **kwargs: Any) -> Any:
        listener.closed()
        return close(*args, **kwargs)

    return closed
