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
from ollamatrace.tracer import Tracer

Method = Callable[..., Any]


class Begin(Protocol):
    """Begins the span of a call. It does not raise, but for Ctrl-C."""

    def __call__(self, args: list[Any], kwargs: dict[str, Any]) -> Call | None:
        """Give the span; ``None`` if the call is not traced. It may change the arguments."""
        ...


def traced_method(owner: Any, method: Method, begin: Begin, explicit: Tracer | None) -> Method:
    """Make `method` of `owner` record its calls; what it gives and raises stays as it is.

    Args:
        owner: What it is a method of.
        method: The SDK's own.
        begin: Begins the span of a call.
        explicit: The tracer of all its calls, if that is known.
    """
    kind, name, function = type(owner), *named_on_class(owner, method)

    @functools.wraps(method)
    def traced(_self: Any, *args: Any, **kwargs: Any) -> Any:
        now = getattr(kind, name, function)
        latest = method if now is function else bound_now(now, owner)
        if explicit is not None and not explicit.enabled:
            return latest(*args, **kwargs)  # at once: nothing is recorded
        call, outer, given = None, span_var.get(), [*args]
        try:  # all of it: Ctrl-C may come at any moment
            call = begin(given, kwargs)
            result = latest(*given, **kwargs)
            return result if call is None else call.succeed(result) or result
        except BaseException as error:
            call = call or _begun_since(outer)
            if call is not None:
                call.raised(error)
            raise

    return bound(owner, traced, method)


def traced_coroutine(owner: Any, method: Method, begin: Begin, explicit: Tracer | None) -> Method:
    """Make `method`, which gives an awaitable, record its calls from when they first run."""
    kind, name, function = type(owner), *named_on_class(owner, method)

    @functools.wraps(method)
    async def traced(_self: Any, *args: Any, **kwargs: Any) -> Any:
        now = getattr(kind, name, function)
        latest = method if now is function else bound_now(now, owner)
        if explicit is not None and not explicit.enabled:
            return await latest(*args, **kwargs)  # at once: nothing is recorded
        call, outer, given = None, span_var.get(), [*args]
        try:  # all of it: Ctrl-C may come at any moment
            call = begin(given, kwargs)
            result = await latest(*given, **kwargs)
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


def named_on_class(owner: Any, method: Method) -> tuple[str, Any]:
    """The name of `method` on the class of `owner`, and the function that it is of.

    No name and ``None`` where it is the object's own, given to it by the program.
    """
    function = getattr(method, "__func__", None)
    name = getattr(method, "__name__", "")
    if function is None or getattr(type(owner), name, None) is not function:
        return "", None
    return name, function


def bound_now(now: Any, owner: Any) -> Method:
    """What has replaced a method on the class of `owner` since, for `owner`: a test does that."""
    bind: Any = getattr(type(now), "__get__", None)
    found: Method = now if bind is None else bind(now, owner, type(owner))
    return found
