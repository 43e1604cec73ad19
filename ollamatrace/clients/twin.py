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

from ollamatrace.clients.binding import Binding, bind
from ollamatrace.clients.endpoints import OLLAMA, OPENAI
from ollamatrace.clients.shells import traced_coroutine, traced_method

BINDING: Final = "_ollamatrace"
_VIEWS: Final = ("with_raw_response", "with_streaming_response")


def openai_twin(client: Any, binding: Binding, *, is_async: bool) -> Any:
    """Make the twin of an OpenAI client."""
    twin = copy.copy(client)
    _own_resources(twin, client)
    shell = traced_coroutine if is_async else traced_method
    for endpoint in OPENAI:
        resource = functools.reduce(_attribute, endpoint.resource.split("."), twin)
        method = getattr(resource, endpoint.method, None)
        if method is not None:  # an older SDK has no responses, another no parse
            name = type(resource).__name__
            setattr(resource, endpoint.method, shell(method, name, endpoint, binding))
    for name in ("copy", "with_options"):
        setattr(twin, name, _copying(getattr(twin, name), binding, is_async=is_async))
    setattr(twin, BINDING, binding)
    return twin


def ollama_twin(client: Any, binding: Binding, *, is_async: bool) -> Any:
    """Make the twin of an Ollama client."""
    twin = copy.copy(client)
    shell = traced_coroutine if is_async else traced_method
    prefix = "Async" if is_async else ""
    for endpoint in OLLAMA:
        method = getattr(twin, endpoint.method, None)
        if method is not None:
            name = prefix + endpoint.method.capitalize()
            setattr(twin, endpoint.method, shell(method, name, endpoint, binding))
    setattr(twin, BINDING, binding)
    return twin


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


def _copying(method: Callable[..., Any], binding: Binding, *, is_async: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    def copied(*args: Any, **kwargs: Any) -> Any:
        client = method(*args, **kwargs)
        return openai_twin(client, bind(client, binding.explicit, binding.name), is_async=is_async)

    return copied
