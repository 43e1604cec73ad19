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
from types import MethodType
from typing import Any, Final

from ollamatrace.clients.begin import beginning, beginning_requests
from ollamatrace.clients.binding import Binding, is_of, rebound
from ollamatrace.clients.doubled import look_at_first_call
from ollamatrace.clients.endpoints import OLLAMA, OPENAI, Endpoint, Paths
from ollamatrace.clients.headers import name_in_requests
from ollamatrace.clients.shells import bound, traced_coroutine, traced_method
from ollamatrace.guard import shielded

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
    twin.request = _traced_request(twin, binding)
    _make_own(vars(twin), twin, client)
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
    if binding.propagate:
        name_in_requests(twin, binding)
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
                starts = functools.partial(beginning(binding, endpoint, method))
                look_at_first_call(starts, owner, name, binding)
                setattr(owner, name, shell(owner, method, starts, binding.explicit))


def _traced_request(twin: Any, binding: Binding) -> Callable[..., Any]:
    """Trace what is sent to the paths of the table, but for what a traced method sends."""
    starts = functools.partial(beginning_requests(binding, _paths, twin))
    look_at_first_call(starts, twin, "request", binding)
    shell = traced_coroutine if binding.is_async else traced_method
    return shell(twin, twin.request, starts, binding.explicit)


def _attribute(value: Any, name: str) -> Any:
    return getattr(value, name, None)


def _make_own(state: dict[str, Any], twin: Any, client: Any) -> None:
    """Make what `state` has of the client the twin's: resources, and what the program has set."""
    for name, value in list(state.items()):
        if value is client:
            state[name] = twin
        elif isinstance(value, MethodType) and value.__self__ is client:
            state[name] = MethodType(value.__func__, twin)
        elif getattr(value, "_client", None) is client and is_of(value, "openai"):
            own = state[name] = copy.copy(value)
            for view in _VIEWS:
                vars(own).pop(view, None)
            _make_own(vars(own), twin, client)


@shielded
def _retraced(client: Any, binding: Binding) -> Any:
    """The twin of a copy; ``None`` if it is one already, or no client: a subclass may do so."""
    if binding_of(client) is not None or not hasattr(client, "request"):
        return None
    return openai_twin(client, rebound(binding, client))


def _copying(twin: Any, name: str, binding: Binding) -> Callable[..., Any]:
    method = getattr(twin, name)

    @functools.wraps(method)
    def copied(_self: Any, *args: Any, **kwargs: Any) -> Any:
        client = method(*args, **kwargs)
        return _retraced(client, binding) or client

    setattr(copied, _BINDING, binding)
    return bound(twin, copied, method)
