"""Streams as the program gets them: what they are, do and hold stays the SDK's own."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import types
from collections.abc import AsyncGenerator, Generator
from typing import Any, ClassVar, Protocol

from ollamatrace.clients.raw import hear_closing
from ollamatrace.clients.readers import reader
from ollamatrace.clients.subclasses import Ways


class Listener(Protocol):
    """Hears what becomes of a stream. None of it raises."""

    def chunk(self, item: Any) -> bool:
        """It brought `item`; says whether the program is not to get it."""
        ...

    def exhausted(self) -> None:
        """It was read to its end."""
        ...

    def failed(self, error: BaseException) -> None:
        """It raised."""
        ...

    def closed(self) -> None:
        """The program closed it."""
        ...

    def dropped(self) -> None:
        """Nobody holds it any more."""
        ...


def traced_stream(stream: Any, listener: Listener) -> Any:
    """Make the traced form of a stream that an SDK returned.

    An object of the SDK gets a subclass of its own class that shares its state. A generator,
    which has no subclasses, is wrapped by an object with the whole protocol of generators.
    """
    if isinstance(stream, types.GeneratorType):
        return _TracedGenerator(stream, listener)
    if isinstance(stream, types.AsyncGeneratorType):
        return _TracedAsyncGenerator(stream, listener)
    # The SDK's helpers read the stream, but close the response behind it.
    hear_closing(stream, "response", listener)
    ways = _AsyncWays if hasattr(stream, "__anext__") else _SyncWays
    return ways.around(stream, listener)


class _StreamWays(Ways):
    __slots__ = ()

    def __del__(self) -> None:
        self._ollamatrace.dropped()


class _SyncWays(_StreamWays):
    """The ways in which a stream is read and ends."""

    __slots__ = ()

    def __iter__(self) -> Any:
        while True:  # a generator as the SDK's own, which is closed without closing the stream
            try:
                item = self.__next__()
            except StopIteration:
                return
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


class _AsyncWays(_StreamWays):
    """The same for the asynchronous kind."""

    __slots__ = ()

    async def __aiter__(self) -> Any:
        while True:
            try:
                item = await self.__anext__()
            except StopAsyncIteration:
                return
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

    async def close(self) -> Any:
        self._ollamatrace.closed()
        outer: Any = super()
        return await outer.close()


class _Wrapped:
    """What wrapped generators of both kinds have in common."""

    __slots__ = ("__weakref__", "_generator", "_listener")
    _class: ClassVar[type]

    def __init__(self, generator: Any, listener: Listener) -> None:
        self._generator = generator
        self._listener = listener

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._class

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _Wrapped.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._generator, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._generator)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._generator.__reduce_ex__(protocol)  # raises what a generator raises

    def __repr__(self) -> str:
        return repr(self._generator)

    def __del__(self) -> None:
        self._listener.dropped()


class _TracedGenerator(_Wrapped, Generator[Any, Any, Any]):
    __slots__ = ()
    _class = types.GeneratorType

    def __next__(self) -> Any:
        return self._step(self._generator.__next__)

    def send(self, value: Any) -> Any:
        return self._step(self._generator.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._generator.throw, *error)

    def close(self) -> None:
        self._generator.close()  # raises if it is running in another thread: then it goes on
        self._listener.closed()

    def _step(self, step: Any, *args: Any) -> Any:
        try:
            item = step(*args)
        except StopIteration:
            self._listener.exhausted()
            raise
        except BaseException as error:
            self._listener.failed(error)
            raise
        self._listener.chunk(item)
        return item


_TracedGenerator.__name__ = "generator"  # as messages name it


class _TracedAsyncGenerator(_Wrapped, AsyncGenerator[Any, Any]):
    __slots__ = ()
    _class = types.AsyncGeneratorType

    async def __anext__(self) -> Any:
        return await self._step(self._generator.__anext__())

    async def asend(self, value: Any) -> Any:
        return await self._step(self._generator.asend(value))

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._generator.athrow(*error))

    async def aclose(self) -> None:
        await self._generator.aclose()  # as above
        self._listener.closed()

    async def _step(self, step: Any) -> Any:
        try:
            item = await step
        except StopAsyncIteration:
            self._listener.exhausted()
            raise
        except BaseException as error:
            self._listener.failed(error)
            raise
        self._listener.chunk(item)
        return item


_TracedAsyncGenerator.__name__ = "async_generator"
