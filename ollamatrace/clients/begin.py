"""The beginning of a call: whether it is traced, and with which arguments."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from ollamatrace.clients.binding import Binding
from ollamatrace.clients.call import Call
from ollamatrace.clients.endpoints import Endpoint
from ollamatrace.clients.sent import as_sent
from ollamatrace.context import span_var
from ollamatrace.guard import shielded

_SECRET: Final = frozenset({"extra_headers", "api_key"})
_RAW: Final = "x-stainless-raw-response"
"""The header by which OpenAI's client tells itself that the program wants a raw response."""


@shielded
def begin(
    binding: Binding,
    endpoint: Endpoint,
    name: str,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Call | None:
    """Begin the span of a call of `method`; ``None`` if it is not to be traced.

    Where the client is to ask for token counts, `kwargs` is given what asks for them.
    """
    call = _made(binding, endpoint, name)
    if call is None:
        return None
    hides_counts = False
    if endpoint.counts_on_request and binding.include_usage:
        hides_counts = _ask_for_counts(kwargs)
    if args:
        kwargs = {**_named(method, args), **kwargs}
    given = {
        key: value
        for key, value in kwargs.items()
        if type(value) not in binding.sentinels and key not in _SECRET
    }
    if binding.sends_files:
        as_sent(given)
    call.take_inputs(given, hides_counts=hides_counts)
    return _begun(call)


@shielded
def begin_request(
    binding: Binding,
    endpoint: Endpoint,
    name: str,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Call | None:
    """Begin the span of a request that is posted; ``None`` if it is not to be traced.

    Its inputs are what is sent: the body, what the program adds to it, and files.
    """
    call = _made(binding, endpoint, name)
    if call is None:
        return None
    request = {**_named(method, args), **kwargs}
    given: dict[str, Any] = {}
    options: Mapping[str, Any] = request.get("options") or {}
    for part in (request.get("body"), options.get("extra_json"), _files(request.get("files"))):
        if isinstance(part, Mapping):
            given |= part
    call.take_inputs(given, hides_counts=False)
    return _begun(call)


def _made(binding: Binding, endpoint: Endpoint, name: str) -> Call | None:
    tracer = binding.tracer()
    if tracer is None or not tracer.enabled:
        return None
    current = span_var.get()
    if isinstance(current, Call) and current.is_running(binding, endpoint):
        return None  # the SDK's own helper calls one traced method from another
    return Call(tracer, binding.name or name, endpoint, binding)


def _begun(call: Call) -> Call:
    try:
        call.begin()
        span_var.set(call)
    except BaseException as error:  # Ctrl-C may come at any time
        call.raised(error)
        raise
    return call


def _named(method: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    names = list(inspect.signature(method).parameters)
    return dict(zip(names, args, strict=False))


def _ask_for_counts(kwargs: dict[str, Any]) -> bool:
    """Have a stream end with its token counts; says whether the program did not ask for them.

    Not where the program reads the bytes itself: there, nothing can be hidden.
    """
    options = kwargs.get("stream_options")
    asked = options if isinstance(options, Mapping) else {}
    if kwargs.get("stream") is not True or asked.get("include_usage") is not None:
        return False
    if any(str(name).lower() == _RAW for name in kwargs.get("extra_headers") or ()):
        return False
    kwargs["stream_options"] = {**asked, "include_usage": True}
    return True


def _files(files: Any) -> dict[str, Any]:
    """Files of a request: bytes as they are, what is read while it is sent by its name."""
    pairs = files.items() if isinstance(files, Mapping) else files or ()
    return {field: _file(file) for field, file in pairs}


def _file(file: Any) -> Any:
    if isinstance(file, tuple):
        return [_file(part) for part in file]
    if file is None or isinstance(file, str | bytes | Mapping):
        return file
    return str(getattr(file, "name", None) or file)
