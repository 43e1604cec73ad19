"""The traced method around the SDK's own: a synchronous shell and its asynchronous twin."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, Protocol

from ollamatrace.clients.call import Call
from ollamatrace.context import span_var
from ollamatrace.spans import Span

Method = Callable[..., Any]


class Begin(Protocol):
    """Begins the span of a call."""

    def __call__(self, args: list[Any], kwargs: dict[str, Any]) -> Call | None:
        """Give the span; ``None`` if the call is not traced. It may change the arguments."""
        ...


def traced_method(owner: Any, method: Method, begin: Begin) -> Method:
    """Make `method` of `owner` record its calls; what it gives and raises stays as it is."""
    latest = latest_of(owner, method)

    @functools.wraps(method)
    def traced(_self: Any, *args: Any, **kwargs: Any) -> Any:
        call, outer, given = None, span_var.get(), list(args)
        try:  # all of it: Ctrl-C may come at any moment
            call = begin(given, kwargs)
            result = latest()(*given, **kwargs)
            return result if call is None else call.succeed(result) or result
        except BaseException as error:
            call = call or _begun_since(outer)
            if call is not None:
                call.raised(error)
            raise

    return bound(owner, traced, method)


def traced_coroutine(owner: Any, method: Method, begin: Begin) -> Method:
    """Make `method`, which gives an awaitable, record its calls from when they first run."""
    latest = latest_of(owner, method)

    @functools.wraps(method)
    async def traced(_self: Any, *args: Any, **kwargs: Any) -> Any:
        call, outer, given = None, span_var.get(), list(args)
        try:  # all of it: Ctrl-C may come at any moment
            call = begin(given, kwargs)
            result = await latest()(*given, **kwargs)
            return result if call is None else call.succeed(result) or result
        except BaseException as error:
            call = call or _begun_since(outer)
            if call is not None:
                call.raised(error)
            raise

    if inspect.iscoroutinefunction(method):
        return bound(owner, traced, method)

    @functools.wraps(method)
    def made(_self: Any, *args: Any, **kwargs: Any) -> Any:
        return traced(_self, *args, **kwargs)

    return bound(owner, made, method)


def _begun_since(outer: Span | None) -> Call | None:
    """The call that has begun below `outer`, where the one who began it could not say so."""
    current = span_var.get()
    return current if isinstance(current, Call) and current is not outer else None


def bound(owner: Any, function: Method, method: Method) -> Method:
    """Make `function` a method of `owner`, as `method`, which it stands for, is."""
    # The signature is the function's, to be seen without the owner. What looks one level down, to
    # find whether it is asynchronous, finds there what it finds below the SDK's own.
    inner = getattr(method, "__func__", method)
    function.__wrapped__ = getattr(inner, "__wrapped__", inner)  # type: ignore[attr-defined]
    return types.MethodType(function, owner)


def latest_of(owner: Any, method: Method) -> Callable[[], Method]:
    """Gives `method` of `owner`, or what has replaced it on the class since: a test does that."""
    kind: Any = type(owner)
    function = getattr(method, "__func__", None)
    name = getattr(method, "__name__", "")
    if function is None or getattr(kind, name, None) is not function:
        return lambda: method  # it is the object's own, given to it by the program

    def latest() -> Method:
        now: Any = getattr(kind, name, function)
        if now is function:
            return method
        bind: Any = getattr(type(now), "__get__", None)
        found: Method = now if bind is None else bind(now, owner, kind)
        return found

    return latest
