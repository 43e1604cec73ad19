"""Traced generator functions.

Their generators are real ones, around those of the program, which get all that is sent and thrown.
The span is current while the body runs, and never across a ``yield``.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncGenerator, Generator
from types import AsyncGeneratorType, GeneratorType, MethodType
from typing import Any, Self

from ollamatrace.spans import GeneratorSpan
from ollamatrace.tracer.traced import Traced


class GeneratorFunction(functools.partial[Any]):
    """A generator function whose generators are traced, sync or async.

    A function cannot do this: none sees the very generator that its caller gets, and whether that
    was closed or dropped can be told from nothing else. A ``partial`` is to `inspect` what its
    function is; and as it calls the function at once, wrong arguments raise where they would.
    """

    _ollamatrace: Traced

    def __new__(cls, traced: Traced) -> Self:
        """Look like the function."""
        made = super().__new__(cls, traced.function)
        functools.update_wrapper(made, traced.function)
        made._ollamatrace = traced
        return made

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Make a generator; its span begins when it is first asked for an item."""
        traced = self._ollamatrace
        tracer = traced.find()
        generator = traced.function(*args, **kwargs)
        if tracer is None or not tracer.is_recording:
            return generator
        driver: Any
        span = GeneratorSpan(tracer, traced.name, traced.kind, traced.qualified)
        if isinstance(generator, GeneratorType):
            driver = _driven(generator, span, traced, [args, kwargs])
        elif isinstance(generator, AsyncGeneratorType):
            driver = _driven_async(generator, span, traced, [args, kwargs])
        else:
            return generator
        driver.__name__, driver.__qualname__ = generator.__name__, generator.__qualname__
        span.watch(driver)
        return driver

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ollamatrace.function, name)

    def __repr__(self) -> str:
        return repr(self._ollamatrace.function)

    def __reduce__(self) -> Any:
        return self.__qualname__  # pickled by name, as functions are


def _driven(
    generator: GeneratorType[Any, Any, Any], span: GeneratorSpan, traced: Traced, given: list[Any]
) -> Generator[Any, Any, Any]:
    sent: Any = None
    thrown: BaseException | None = None
    closing = False
    try:
        span.start(traced.arguments.named(*given))
        given.clear()  # the body may let go of them
        while True:
            span.resume()
            try:
                item = generator.send(sent) if thrown is None else generator.throw(thrown)
            except StopIteration as stop:
                span.exhausted(stop.value, closing=closing)
                return stop.value
            finally:
                sent = thrown = None
            span.pause()
            span.item(item)
            try:
                sent = yield item
                closing = False
            except BaseException as error:  # noqa: BLE001  it goes to the body
                thrown = error
                closing = isinstance(error, GeneratorExit)
    except BaseException as error:
        span.broken(error, closing=closing)
        raise


async def _driven_async(
    generator: AsyncGeneratorType[Any, Any],
    span: GeneratorSpan,
    traced: Traced,
    given: list[Any],
) -> AsyncGenerator[Any, Any]:
    step: Any = None
    closing = False
    try:
        span.start(traced.arguments.named(*given))
        given.clear()
        step = _first_step(generator)
        while True:
            span.resume()
            try:
                item = await step
            except StopAsyncIteration:
                span.exhausted(None, closing=closing)
                return
            finally:
                step = None
            span.pause()
            span.item(item)
            try:
                sent = yield item
                step, closing = generator.asend(sent), False
            except BaseException as error:  # noqa: BLE001  as above
                step = generator.athrow(error)
                closing = isinstance(error, GeneratorExit)
    except BaseException as error:
        span.broken(error, closing=closing)
        raise


def _first_step(generator: AsyncGeneratorType[Any, Any]) -> Any:
    """Begin to drive `generator`, unknown to the event loop.

    A loop closes all async generators that it knows when it ends. It knows ours, which closes this
    one; both at once would be an error.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_leave)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave(_generator: Any) -> None:
    """Nothing: where the loop does not close ours any more, it would not close this one either."""
