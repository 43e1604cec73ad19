"""Streams as the program gets them: what they are, do and hold stays the SDK's own."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import types
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import Any, ClassVar, Final, Protocol

from ollamatrace.spans import is_cancellation

_subclasses: Final[dict[type[Any], type[Any]]] = {}


class Listener(Protocol):
    """Hears what becomes of a stream."""

    def chunk(self, item: Any) -> None:
        """The program gets `item`."""
        ...

    def end(self, status: Any = ..., reason: Any = ...) -> None:
        """It is over."""
        ...

    def fail(self, error: BaseException) -> None:
        """It raised."""
        ...

    def abandon(self) -> None:
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
    kind = type(stream)
    traced: Any = object.__new__(_subclass(kind))
    traced.__dict__ = stream.__dict__
    traced._ollamatrace = listener  # a slot of the subclass
    return traced


def _subclass(kind: type[Any]) -> type[Any]:
    made = _subclasses.get(kind)
    return _make_subclass(kind) if made is None else made


def _make_subclass(kind: type[Any]) -> type[Any]:
    ways = _AsyncWays if hasattr(kind, "__anext__") else _SyncWays
    body = {"__slots__": ("_ollamatrace",), "__module__": kind.__module__, "__doc__": kind.__doc__}
    made = type(kind.__name__, (ways, kind), {**body, "__qualname__": kind.__qualname__})
    _subclasses[kind] = made
    return made


class _Ways:
    """What both kinds have in common."""

    __slots__ = ()
    _ollamatrace: Listener

    def _leaving(self, error: BaseException | None) -> None:
        if error is not None and is_cancellation(error):
            self._ollamatrace.fail(error)

    def __del__(self) -> None:
        self._ollamatrace.abandon()


class _SyncWays(_Ways):
    """The ways in which a stream is read and ends, in front of the SDK's own."""

    __slots__ = ()

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        listener = self._ollamatrace
        try:
            item = super().__next__()  # type: ignore[misc]  # of the SDK's class behind
        except StopIteration:
            listener.end("OK", "exhausted")
            raise
        except BaseException as error:
            listener.fail(error)
            raise
        listener.chunk(item)
        return item

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        self._leaving(error)
        outer: Any = super()
        return outer.__exit__(kind, error, traceback)

    def close(self) -> Any:
        try:
            outer: Any = super()
            return outer.close()
        finally:
            self._ollamatrace.end("OK", "closed")


class _AsyncWays(_Ways):
    """The same for the asynchronous kind."""

    __slots__ = ()

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        listener = self._ollamatrace
        try:
            item = await super().__anext__()  # type: ignore[misc]
        except StopAsyncIteration:
            listener.end("OK", "exhausted")
            raise
        except BaseException as error:
            listener.fail(error)
            raise
        listener.chunk(item)
        return item

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        self._leaving(error)
        outer: Any = super()
        return await outer.__aexit__(kind, error, traceback)

    async def close(self) -> Any:
        try:
            outer: Any = super()
            return await outer.close()
        finally:
            self._ollamatrace.end("OK", "closed")


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

    def __repr__(self) -> str:
        return repr(self._generator)

    def __del__(self) -> None:
        self._listener.abandon()


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
        try:
            self._generator.close()
        finally:
            self._listener.end("OK", "closed")

    def _step(self, step: Any, *args: Any) -> Any:
        try:
            item = step(*args)
        except StopIteration:
            self._listener.end("OK", "exhausted")
            raise
        except BaseException as error:
            self._listener.fail(error)
            raise
        self._listener.chunk(item)
        return item


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
        try:
            await self._generator.aclose()
        finally:
            self._listener.end("OK", "closed")

    async def _step(self, step: Any) -> Any:
        try:
            item = await step
        except StopAsyncIteration:
            self._listener.end("OK", "exhausted")
            raise
        except BaseException as error:
            self._listener.fail(error)
            raise
        self._listener.chunk(item)
        return item
