"""The beginning of a call: whether it is traced, and with which arguments."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from ollamatrace.clients.binding import Binding
from ollamatrace.clients.call import Call
from ollamatrace.clients.endpoints import Endpoint, Paths, path_of
from ollamatrace.clients.headers import name_in_options
from ollamatrace.clients.secrets import hide_secrets
from ollamatrace.clients.sent import as_sent
from ollamatrace.context import make_current, span_var
from ollamatrace.guard import shielded

_NEVER: Final = frozenset({"extra_headers", "api_key"})
"""Arguments that are never recorded."""
_RAW: Final = "x-stainless-raw-response"
"""The header by which OpenAI's client tells itself that the program wants a raw response."""
_OF_STREAMS: Final = frozenset({"stream", "stream_options"})
_OF_FILE: Final = 3
"""Of a file, its name, content and type are recorded; what may follow are headers."""


@shielded
def begin(
    binding: Binding,
    endpoint: Endpoint,
    method: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
) -> Call | None:
    """Begin the span of a call of `method`; ``None`` if it is not to be traced.

    Where the client is to ask for token counts, `kwargs` is given what asks for them.
    """
    current = span_var.get()
    if isinstance(current, Call) and current.is_beginning(binding, endpoint):
        return None  # the SDK's own helper calls one traced method from another
    call = _made(binding, endpoint)
    if call is None:
        return None
    named = {**(_named(method, args) or {}), **kwargs} if args else kwargs
    given = {
        key: value
        for key, value in named.items()
        if type(value) not in binding.sentinels and key not in _NEVER
    }
    asks = endpoint.counts_on_request and binding.include_usage and _asks_for_counts(kwargs)
    if asks:
        given["stream_options"] = {**(given.get("stream_options") or {}), "include_usage": True}
    if binding.sends_files:
        as_sent(given)
    else:
        hide_secrets(given)
    call.take_inputs(given, hides_counts=asks)
    _begun(call)
    if asks:  # at the end: if something of ours fails before, nothing is asked for
        kwargs["stream_options"] = given["stream_options"]
    return call


@shielded
def begin_request(
    binding: Binding, paths: Paths, client: Any, args: list[Any], kwargs: dict[str, Any]
) -> Call | None:
    """Begin the span of a request that OpenAI's client sends; ``None`` if it is not to be traced.

    Its inputs are what is sent: the body, what the program adds to it, and files.

    Args:
        binding: The client's.
        paths: What is traced.
        client: Who sends it.
        args: Of the client's `request`: the type of the answer, the options of the request.
        kwargs: Of the same.
    """
    options: Any = args[1] if len(args) > 1 else kwargs.get("options")
    current = span_var.get()
    endpoint: Endpoint | None = None
    if isinstance(current, Call) and options.url in current.endpoint.paths:
        endpoint = current.endpoint  # as it mostly is; looking for it takes longer
    endpoint = endpoint or paths.find(options.method, options.url)
    if endpoint is None:
        return None
    if isinstance(current, Call) and current.is_beginning(binding, endpoint):
        current.is_sent = True  # it is the call's own request
        if binding.propagate:
            name_in_options(current, client, args, kwargs)
        return None
    call = _made(binding, endpoint)
    if call is None:
        return None
    path = path_of(options.url)
    # An id in it is all that says which video, or which thread.
    given: dict[str, Any] = {} if path in endpoint.paths else {"path": path}
    body = options.json_data or _json(getattr(options, "content", None))
    for part in (body, options.extra_json, _files(options.files)):
        if isinstance(part, Mapping):
            given |= part
    hide_secrets(given, everywhere=True)
    call.take_inputs(given, hides_counts=False)
    call = _begun(call)
    call.is_sent = True
    if binding.propagate:
        name_in_options(call, client, args, kwargs)
    return call


def _made(binding: Binding, endpoint: Endpoint) -> Call | None:
    tracer = binding.tracer()
    if tracer is None or not tracer.is_recording:
        return None
    name = f"Async{endpoint.name}" if binding.is_async else endpoint.name
    return Call(tracer, binding.name or name, endpoint, binding)


def _begun(call: Call) -> Call:
    try:
        call.begin()
        make_current(call)
    except BaseException as error:  # Ctrl-C may come at any time
        call.raised(error)
        raise
    return call


@shielded
def _named(method: Callable[..., Any], args: list[Any]) -> dict[str, Any]:
    names = list(inspect.signature(method).parameters)
    return dict(zip(names, args, strict=False))


def _asks_for_counts(kwargs: Mapping[str, Any]) -> bool:
    """Whether a stream is to end with its token counts, which the program does not ask for.

    Not where the program reads the bytes itself: there, nothing can be hidden.
    """
    options, more = kwargs.get("stream_options"), kwargs.get("extra_body")
    if isinstance(options, Mapping) and "include_usage" in options:
        return False
    if isinstance(more, Mapping) and not _OF_STREAMS.isdisjoint(more):
        return False  # it goes over what is asked for here
    is_raw = any(str(name).lower() == _RAW for name in kwargs.get("extra_headers") or ())
    return kwargs.get("stream") is True and not is_raw


def _json(content: Any) -> Any:
    """A body that the program has put together itself, if it is JSON."""
    try:
        return orjson.loads(content) if isinstance(content, bytes | str) else None
    except orjson.JSONDecodeError:
        return None


@shielded
def _files(files: Any) -> dict[str, Any]:
    """Files of a request by their field: one, or a list where there are several."""
    pairs = files.items() if isinstance(files, Mapping) else files or ()
    found: dict[str, list[Any]] = {}
    for field, file in pairs:
        found.setdefault(field, []).append(_file(file))
    return {field: few if len(few) > 1 else few[0] for field, few in found.items()}


def _file(file: Any) -> Any:
    """A file: bytes as they are; what is read while it is sent, by its name."""
    if isinstance(file, tuple):
        return [_file(part) for part in file[:_OF_FILE]]
    if file is None or isinstance(file, str | bytes | Mapping):
        return file
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else f"<{type(file).__name__}>"
