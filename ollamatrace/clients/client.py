"""`TracedClient`: the door to everything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, TypeVar

from ollamatrace.errors import ConfigError
from ollamatrace.tracer import Server, Tracer, registry

C = TypeVar("C")

_KINDS: Final = {
    ("openai", "OpenAI"): False,
    ("openai", "AsyncOpenAI"): True,
    ("ollama", "Client"): False,
    ("ollama", "AsyncClient"): True,
}
"""The classes whose objects can be traced, and whether their methods are coroutines."""


class TracedClient:
    """A twin of your client whose calls become spans. It is of your client's own class.

    Example:
        >>> client = TracedClient(OpenAI(base_url="http://localhost:11434/v1", api_key="ollama"))
        >>> client.chat.completions.create(model="llama3.2:1b", messages=[...])

    Args:
        client: An `openai.OpenAI`, `openai.AsyncOpenAI`, `ollama.Client` or `ollama.AsyncClient`,
            or an object of a subclass. It stays as it is. If it is traced already, it is traced
            once, and what is not said anew is as it was.
        tracer: The tracer to use; without it, and without `server` and `experiment`: the tracer of
            the open span, else the default one, the only live one, the environment's.
        server: Where traces go, not the model's server; see `Tracer`. Clients with the same server
            and experiment share a tracer.
        experiment: The experiment that they are filed under.
        name: What the spans are called instead of their usual names.
        include_usage: Ask the server for the token counts of streams that the program does not ask
            for itself (``stream_options`` of OpenAI's client); the chunk that brings them is
            recorded, and the program does not get it. Where the program reads a raw response,
            nothing is asked for.
        propagate: Have each traced request name its span in the headers ``traceparent`` and, if
            one came in with the trace, ``tracestate``, so that a proxy or gateway before the model
            can go on with the trace. Where the program sends one of them itself, its request
            stays as it is.

    Raises:
        TypeError: `client` is none of the four.
        ConfigError: both `tracer` and another choice are given, or `server` names no destination.
    """

    def __new__(  # type: ignore[misc]  # the client's own class is the point of it
        cls,
        client: C,
        *,
        tracer: Tracer | None = None,
        server: Server = None,
        experiment: str | None = None,
        name: str | None = None,
        include_usage: bool = False,
        propagate: bool = False,
    ) -> C:
        """Make the twin."""
        # Here, as in `tracer_of`: who has no client does not pay for the import.
        from ollamatrace.clients.binding import bind
        from ollamatrace.clients.doubled import look
        from ollamatrace.clients.twin import binding_of

        if tracer is not None and (server is not None or experiment is not None):
            raise ConfigError(
                "tracer= has its own server and experiment: give either it or server=, experiment="
            )
        if tracer is None and (server is not None or experiment is not None):
            tracer = _shared_tracer(server, experiment)
        earlier = binding_of(client)
        is_new = tracer is not None or name is not None or include_usage or propagate
        if earlier is not None and not is_new:
            return client  # traced already, and nothing new is asked for
        original = client
        if earlier is not None:  # what is not said anew stays
            original = earlier.original
            tracer = tracer or earlier.explicit
            name = name or earlier.name
            include_usage = include_usage or earlier.include_usage
            propagate = propagate or earlier.propagate
        make, is_async = _maker(original)
        binding = bind(
            original,
            tracer,
            name,
            include_usage=include_usage,
            propagate=propagate,
            is_async=is_async,
        )
        twin: C = make(original, binding)
        look(original, twin, binding)
        return twin


def tracer_of(client: object) -> Tracer | None:
    """The tracer that a call of `client` would use here and now; ``None`` if it is not traced."""
    from ollamatrace.clients.twin import binding_of

    binding = binding_of(client)
    return None if binding is None else binding.tracer()


def _maker(client: object) -> tuple[Callable[..., Any], bool]:
    from ollamatrace.clients.twin import ollama_twin, openai_twin

    for kind in type(client).__mro__:
        sdk = kind.__module__.partition(".")[0]
        is_async = _KINDS.get((sdk, kind.__name__))
        if is_async is not None:
            return (openai_twin if sdk == "openai" else ollama_twin), is_async
    what = repr(client if isinstance(client, ModuleType | type) else type(client))
    raise TypeError(
        "TracedClient takes an object of openai.OpenAI, openai.AsyncOpenAI, ollama.Client or "
        f"ollama.AsyncClient, not {what}"
    )


def _shared_tracer(server: Server, experiment: str | None) -> Tracer:
    servers = tuple(server) if isinstance(server, list | tuple) else (server,)
    # A relative path means another file in another folder.
    key = (*servers, experiment, os.getcwd())  # noqa: PTH109  pathlib takes long to import
    return registry.shared(key, lambda: Tracer(server, experiment=experiment))
