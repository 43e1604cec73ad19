"""The beginning of a call: whether it is traced, and with which arguments."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from ollamatrace.clients.binding import Binding
from ollamatrace.clients.call import Call
from ollamatrace.clients.endpoints import Endpoint, Paths, path_of
from ollamatrace.clients.headers import name_in_options
from ollamatrace.clients.secrets import MAY_HIDE, hide_secrets
from ollamatrace.clients.sent import as_sent, is_as_sent
from ollamatrace.clients.shells import Begin
from ollamatrace.context import make_current, span_var
from ollamatrace.guard import report, shielded
from ollamatrace.records import quick_snapshot, utf8

_NEVER: Final = frozenset({"extra_headers", "api_key"})
"""Arguments that are never recorded."""
_LOOKED_AT: Final = _NEVER | MAY_HIDE
_RAW: Final = "x-stainless-raw-response"
"""The header by which OpenAI's client tells itself that the program wants a raw response."""
_OF_STREAMS: Final = frozenset({"stream", "stream_options"})
_OF_FILE: Final = 3
"""Of a file, its name, content and type are recorded; what may follow are headers."""


def beginning(binding: Binding, endpoint: Endpoint, method: Callable[..., Any]) -> Begin:
    """What begins the span of a call of `method`.

    Where the client is to ask for token counts, the arguments are given what asks for them.
    """
    name, native = _name(binding, endpoint), binding.sends_files
    explicit = binding.explicit
    may_ask = endpoint.counts_on_request and binding.include_usage
    looked_at = _NEVER if native else _LOOKED_AT
    parameters = functools.cache(lambda: tuple(inspect.signature(method).parameters))

    def begin(args: list[Any], kwargs: dict[str, Any]) -> Call | None:
        try:
            tracer = explicit or binding.tracer()
            if tracer is None or not tracer.is_recording:
                return None
            current = span_var.get()
            if type(current) is Call and current.is_beginning(binding, endpoint):
                return None  # the SDK's own helper calls one traced method from another
            given = {**dict(zip(parameters(), args, strict=False)), **kwargs} if args else kwargs
            asks = may_ask and _asks_for_counts(kwargs)
            taken = None
            # Mostly there is nothing to leave out or to convert: then nothing is copied.
            if looked_at.isdisjoint(given) and not asks and (not native or is_as_sent(given)):
                taken = quick_snapshot(given, tracer.capture.max_leaf_bytes, exclude_unset=True)
            if taken is None:
                given = _recorded(given, binding, asks=asks)
            call = Call(tracer, name, endpoint, binding)
            call.take_inputs(given, taken, asks)
            _begun(call)
            if asks:  # at the end: if something of ours fails before, nothing is asked for
                kwargs["stream_options"] = given["stream_options"]
        except Exception as error:  # noqa: BLE001  shielded in place: a call more would be felt
            report("begin", error)
            return None
        else:
            return call

    return begin


def _recorded(given: Mapping[str, Any], binding: Binding, *, asks: bool) -> dict[str, Any]:
    """A copy of a call's arguments with what is recorded of them, as it is sent."""
    recorded = {
        key: value
        for key, value in given.items()
        if type(value) not in binding.sentinels and key not in _NEVER
    }
    if asks:
        options = recorded.get("stream_options") or {}
        recorded["stream_options"] = {**options, "include_usage": True}
    if binding.sends_files:
        as_sent(recorded)
    else:
        hide_secrets(recorded)
    return recorded


def beginning_requests(binding: Binding, paths: Paths, client: Any) -> Begin:
    """What begins the span of a request that OpenAI's `client` sends, if it is to be traced.

    Its inputs are what is sent: the body, what the program adds to it, and files. The arguments
    are those of the client's `request`: the type of the answer, the options of the request.
    """

    def begin(args: list[Any], kwargs: dict[str, Any]) -> Call | None:
        try:
            options: Any = args[1] if len(args) > 1 else kwargs.get("options")
            current = span_var.get()
            endpoint: Endpoint | None = None
            if type(current) is Call and options.url in current.endpoint.paths:
                endpoint = current.endpoint  # as it mostly is; looking for it takes longer
            endpoint = endpoint or paths.find(options.method, options.url)
            if endpoint is None:
                return None
            call: Call | None = None
            named: Call | None = None
            if type(current) is Call and current.is_beginning(binding, endpoint):
                named = current
                named.is_sent = True  # it is the call's own request
            else:
                call = named = _request(binding, endpoint, options)
            if named is not None and binding.propagate:
                name_in_options(named, client, args, kwargs)
        except Exception as error:  # noqa: BLE001  as above
            report("begin", error)
            return None
        else:
            return call

    return begin


def _request(binding: Binding, endpoint: Endpoint, options: Any) -> Call | None:
    """The span of a request that is no call's own."""
    tracer = binding.tracer()
    if tracer is None or not tracer.is_recording:
        return None
    call = Call(tracer, _name(binding, endpoint), endpoint, binding)
    path = path_of(options.url)
    # An id in it is all that says which video, or which thread.
    given: dict[str, Any] = {} if path in endpoint.paths else {"path": path}
    body = options.json_data or _json(getattr(options, "content", None))
    for part in (body, options.extra_json, _files(options.files)):
        if isinstance(part, Mapping):
            given |= part
    hide_secrets(given, everywhere=True)
    call.take_inputs(given)
    _begun(call)
    call.is_sent = True
    return call


def _name(binding: Binding, endpoint: Endpoint) -> str:
    name = f"Async{endpoint.name}" if binding.is_async else endpoint.name
    return name if binding.name is None else utf8(binding.name)


def _begun(call: Call) -> None:
    try:
        call.begin()
        make_current(call)
    except BaseException as error:  # Ctrl-C may come at any time
        call.raised(error)
        raise


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
