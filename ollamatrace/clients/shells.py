"""The traced method around the SDK's own: a synchronous shell and its asynchronous twin."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ollamatrace.clients.binding import Binding
from ollamatrace.clients.call import begin
from ollamatrace.clients.endpoints import Endpoint

Method = Callable[..., Any]


def traced_method(method: Method, name: str, endpoint: Endpoint, binding: Binding) -> Method:
    """Make `method` record its calls; what it gives and raises stays as it is."""

    @functools.wraps(method)
    def traced(*args: Any, **kwargs: Any) -> Any:
        call = begin(binding, endpoint, name, method, args, kwargs)
        if call is None:
            return method(*args, **kwargs)
        try:
            result = method(*args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        return call.succeed(result) or result

    return traced


def traced_coroutine(method: Method, name: str, endpoint: Endpoint, binding: Binding) -> Method:
    """Make `method`, which gives an awaitable, record its calls from when they first run."""

    @functools.wraps(method)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        call = begin(binding, endpoint, name, method, args, kwargs)
        if call is None:
            return await method(*args, **kwargs)
        try:
            result = await method(*args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        return call.succeed(result) or result

    return traced
