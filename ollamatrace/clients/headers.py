"""The headers by which the request of a call names its span.

What the program says of it itself comes first: then its request stays as it is.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

from ollamatrace.clients.binding import Binding
from ollamatrace.clients.call import Call
from ollamatrace.clients.shells import bound_now, named_on_class
from ollamatrace.context import span_var
from ollamatrace.guard import shielded, warn
from ollamatrace.tracer import names_span, said_of


@shielded
def name_in_options(call: Call, client: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Have a request of OpenAI's client name `call`.

    Args:
        call: Whose request it is.
        client: Who sends it.
        args: Of the client's `request`: the type of the answer, the options of the request, which
            are replaced and not changed, as a list of pages is asked for by the same ones again.
        kwargs: Of the same.
    """
    options: Any = args[1] if len(args) > 1 else kwargs["options"]
    given = options.headers or {}
    if names_span(given) or names_span(client.default_headers) or _says_so(client):
        return
    options = copy.copy(options)
    options.headers = {**given, **said_of(call)}
    if len(args) > 1:
        args[1] = options
    else:
        kwargs["options"] = options


@shielded
def name_in_requests(client: Any, binding: Binding) -> None:
    """Have the requests of a twin of an Ollama client name their calls.

    A stream is asked for when its first chunk is, and its call is not current then: the header
    goes with the arguments of the request, which are there from the beginning.
    """
    method: Any = getattr(client, "_request", None)
    if not _takes_headers(method):
        warn(
            "propagate",
            "TracedClient(propagate=True): calls are recorded, but this Ollama client has no place "
            "for a traceparent header; it takes ollama 0.4 or newer, and no _request of its own",
        )
        return
    kind, name, function = type(client), *named_on_class(client, method)

    @functools.wraps(method)
    def request(*args: Any, **kwargs: Any) -> Any:
        now = getattr(kind, name, function)
        if now is not function:  # what has replaced it may not take headers
            return bound_now(now, client)(*args, **kwargs)
        kwargs.update(_named(client, binding, kwargs) or {})
        return method(*args, **kwargs)

    client._request = request


@shielded
def _named(client: Any, binding: Binding, kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The headers of a request that belongs to a call; ``None`` if nothing is to be added."""
    call = span_var.get()
    if not isinstance(call, Call) or not call.is_beginning(binding, call.endpoint):
        return None
    given = dict(kwargs.get("headers") or {})
    if names_span(given) or _says_so(client):
        return None
    return {"headers": {**given, **said_of(call)}}


def _says_so(client: Any) -> bool:
    """Whether the HTTP client, which the program may have made, sends such headers anyway."""
    return names_span(getattr(getattr(client, "_client", None), "headers", ()))


def _takes_headers(method: Any) -> bool:
    """Whether it is the SDK's own, and gives what it does not know to its HTTP client."""
    if (getattr(method, "__module__", None) or "").partition(".")[0] != "ollama":
        return False
    parameters = inspect.signature(method).parameters
    passes_on = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return passes_on and "stream" in parameters  # before 0.4, streams went another way
