"""The private twin of a client: its class, its connections, its own attributes.

The caller's object is never changed. The twin is a shallow copy; its resources are built anew, so
that they belong to it, and their methods that call a model are replaced on those resources alone.
The SDK's own helpers reach the traced methods through ``self``, and whatever is not replaced is
the SDK's own.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

from ollamatrace.clients.begin import begin, begin_request
from ollamatrace.clients.binding import Binding, rebound
from ollamatrace.clients.endpoints import OLLAMA, OPENAI, Endpoint, Paths
from ollamatrace.clients.shells import bound, traced_coroutine, traced_method

_BINDING: Final = "_ollamatrace"
_MARKED: Final = ("copy", "chat")
"""The replaced methods that tell of the binding, of OpenAI's client and of Ollama's: an attribute
of its own would show in the twin's `dir`."""
_VIEWS: Final = ("with_raw_response", "with_streaming_response")
_paths: Final = Paths(OPENAI)


def openai_twin(client: Any, binding: Binding) -> Any:
    """Make the twin of an OpenAI client."""
    twin = copy.copy(client)
    twin.post = _traced_post(twin, binding)  # before the resources, which take it over
    _own_resources(twin, client)
    _trace_methods(twin, OPENAI, binding)
    for name in ("copy", "with_options"):
        setattr(twin, name, _copying(twin, name, binding))
    return twin


def ollama_twin(client: Any, binding: Binding) -> Any:
    """Make the twin of an Ollama client."""
    twin = copy.copy(client)
    _trace_methods(twin, OLLAMA, binding)
    setattr(twin.chat.__func__, _BINDING, binding)
    return twin


def binding_of(client: object) -> Binding | None:
    """The binding of a twin; ``None`` if `client` is none."""
    state = getattr(client, "__dict__", {})
    for name in _MARKED:
        binding = getattr(state.get(name), _BINDING, None)
        if isinstance(binding, Binding):
            return binding
    return None


def _trace_methods(twin: Any, endpoints: tuple[Endpoint, ...], binding: Binding) -> None:
    shell = traced_coroutine if binding.is_async else traced_method
    for endpoint in endpoints:
        for path in endpoint.methods:
            *way, name = path.split(".")
            owner = functools.reduce(_attribute, way, twin)
            method = getattr(owner, name, None)
            if method is not None:  # an older SDK has no responses, another no parse
                starts = functools.partial(
                    begin, binding, endpoint, _name(endpoint, binding), method
                )
                setattr(owner, name, shell(owner, method, starts))


def _traced_post(twin: Any, binding: Binding) -> Callable[..., Any]:
    """Trace what is posted to the paths of the table, but for what a traced method posts."""
    post = twin.post

    def starts(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        path = args[0] if args else kwargs.get("path")
        endpoint = _paths.find(path) if isinstance(path, str) else None
        if endpoint is None:
            return None
        return begin_request(binding, endpoint, _name(endpoint, binding), post, args, kwargs)

    shell = traced_coroutine if binding.is_async else traced_method
    return shell(twin, post, starts)


def _name(endpoint: Endpoint, binding: Binding) -> str:
    return f"Async{endpoint.name}" if binding.is_async else endpoint.name


def _attribute(value: Any, name: str) -> Any:
    return getattr(value, name, None)


def _own_resources(twin: Any, client: Any) -> None:
    """Make the resources the twin's own: dropped where they are built on use, else built anew."""
    state: dict[str, Any] = vars(twin)
    kind = type(twin)
    for name in _cached_properties(kind):
        state.pop(name, None)
    for name, value in list(state.items()):
        if getattr(value, "_client", None) is client:
            setattr(twin, name, type(value)(twin))
    for name in _VIEWS:  # openai < 1.59 builds these, too, when the client is made
        if name in state:
            setattr(twin, name, type(state[name])(twin))


def _cached_properties(kind: type[Any]) -> Iterator[str]:
    for base in kind.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, functools.cached_property):
                yield name


def _copying(twin: Any, name: str, binding: Binding) -> Callable[..., Any]:
    method = getattr(twin, name)

    @functools.wraps(method)
    def copied(_self: Any, *args: Any, **kwargs: Any) -> Any:
        client = method(*args, **kwargs)
        return openai_twin(client, rebound(binding, client))

    setattr(copied, _BINDING, binding)
    return bound(twin, copied, method)
