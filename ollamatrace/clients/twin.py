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
from collections.abc import Callable
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
    views = {name: type(view) for name in _VIEWS if (view := vars(twin).pop(name, None))}
    twin.post = _traced_post(twin, binding)  # before the resources, which take it over
    _rebuild(vars(twin), twin, client)
    _trace_methods(twin, OPENAI, binding)
    for name, view in views.items():  # after the methods, which they take over
        setattr(twin, name, view(twin))
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
            # An older SDK has no responses, another no parse; and what the program has put in
            # the place of a resource is the program's.
            is_ours = owner is twin or getattr(owner, "_client", None) is twin
            if is_ours and method is not None:
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


def _rebuild(state: dict[str, Any], twin: Any, client: Any) -> None:
    """Build the resources among the attributes anew, with what the program has set on them."""
    for name, resource in list(state.items()):
        if getattr(resource, "_client", None) is client:
            made = state[name] = type(resource)(twin)
            new = vars(made)
            for key, value in vars(resource).items():
                if key not in _VIEWS:
                    new.setdefault(key, value)
            _rebuild(new, twin, client)


def _copying(twin: Any, name: str, binding: Binding) -> Callable[..., Any]:
    method = getattr(twin, name)

    @functools.wraps(method)
    def copied(_self: Any, *args: Any, **kwargs: Any) -> Any:
        client = method(*args, **kwargs)
        return openai_twin(client, rebound(binding, client))

    setattr(copied, _BINDING, binding)
    return bound(twin, copied, method)
