"""`trace`: a span for each call of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast, overload

from ollamatrace.guard import shielded
from ollamatrace.spans import FunctionSpan
from ollamatrace.tracer.lookup import registry
from ollamatrace.tracer.traced import Find, Traced

F = TypeVar("F")
Function = Callable[..., Any]

_CALL: Final = "__call__"
_OLD_COROUTINE: Final = inspect.CO_ITERABLE_COROUTINE


@overload
def trace(function: F, /) -> F: ...
@overload
def trace(*, name: str | None = None, kind: str = "UNKNOWN") -> Callable[[F], F]: ...
def trace(function: Any = None, /, *, name: str | None = None, kind: str = "UNKNOWN") -> Any:
    """Make each call of a function a span: arguments by name, result, exception.

    For functions and methods, sync and async, and generators of both kinds; the type, the
    signature and what the caller gets stay as they are. In a class it goes above or below
    ``@staticmethod``, ``@classmethod`` and ``@property``. Whatever begins inside is below the span.

    The span of a generator begins when its body first runs, has the items as its output (the first
    10,000), and is current only while the body runs. The tracer is looked up at each call; see
    `Tracer.trace` for a fixed one.

    Args:
        function: What is traced.
        name: What the spans are called, if not as the function.
        kind: What sort of thing it does: ``AGENT``, ``TOOL``, ``CHAIN``, ``RETRIEVER`` ….

    Raises:
        TypeError: what is decorated is no function.

    Example:
        >>> @trace(kind="TOOL")
        ... def weather(city: str) -> str: ...
    """
    return decorated(function, registry.resolve, name, kind)


def decorated(function: Any, find: Find, name: str | None, kind: str) -> Any:
    """Make `function`, or what takes a function where there is none, traced."""

    def again(given: Any) -> Any:
        return _traced(given, find, name, kind)

    return again if function is None else again(function)


def _traced(given: Any, find: Find, name: str | None, kind: str) -> Any:
    def again(function: Any) -> Any:
        return _traced(function, find, name, kind)

    if isinstance(given, staticmethod | classmethod):
        method = cast("Any", given)
        return type(method)(again(method.__func__))
    if isinstance(given, property):
        made = given
        for accessor, put in (("fget", "getter"), ("fset", "setter"), ("fdel", "deleter")):
            if (one := getattr(given, accessor)) is not None:
                made = getattr(made, put)(again(one))
        return made
    if isinstance(given, functools.cached_property):
        return functools.cached_property(again(given.func))
    if not callable(given) or isinstance(given, type):
        raise TypeError(
            f"@trace is for functions and methods, not {given!r}; a class has its methods "
            "decorated, and settings have names: @trace(name=…, kind=…)"
        )
    shell = _shell(given, Traced(given, find, name, kind))
    _take_methods(shell, given)
    return shell


@shielded
def _take_methods(shell: Any, given: Any) -> None:
    """Have `shell` do what an object can do besides being called: a cache is cleared, say."""
    kind = cast("Any", type(given))
    for name in dir(kind):
        if not name.startswith("_") and callable(inspect.getattr_static(kind, name)):
            setattr(shell, name, getattr(given, name))


def _shell(function: Function, traced: Traced) -> Function:
    forms = (function, getattr(type(function), _CALL, None))
    old = getattr(getattr(function, "__code__", None), "co_flags", 0) & _OLD_COROUTINE
    if old or any(map(inspect.iscoroutinefunction, forms)):
        return _coroutine(function, traced)
    if any(map(inspect.isgeneratorfunction, forms)) or any(map(inspect.isasyncgenfunction, forms)):
        from ollamatrace.tracer.generators import GeneratorFunction

        return GeneratorFunction(traced)
    return _function(function, traced)


def _function(function: Function, traced: Traced) -> Function:
    find, name, kind, qualified = traced.find, traced.name, traced.kind, traced.qualified
    named = traced.arguments.named

    @functools.wraps(function)
    def shell(*args: Any, **kwargs: Any) -> Any:
        tracer = find()
        if tracer is None or not tracer.is_recording:
            return function(*args, **kwargs)
        span = FunctionSpan(tracer, name, kind, qualified)
        try:  # all of it: Ctrl-C may come at any moment
            span.enter(named(args, kwargs))
            result = function(*args, **kwargs)
            span.returned(result)
        except BaseException as error:
            span.raised(error)
            raise
        return result

    return shell


def _coroutine(function: Function, traced: Traced) -> Function:
    find, name, kind, qualified = traced.find, traced.name, traced.kind, traced.qualified
    named = traced.arguments.named

    @functools.wraps(function)
    async def shell(*args: Any, **kwargs: Any) -> Any:
        tracer = find()
        if tracer is None or not tracer.is_recording:
            return await function(*args, **kwargs)
        span = FunctionSpan(tracer, name, kind, qualified)
        try:
            span.enter(named(args, kwargs))
            result = await function(*args, **kwargs)
            span.returned(result)
        except BaseException as error:
            span.raised(error)
            raise
        return result

    return shell
