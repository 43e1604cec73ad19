"""Who else traces a client: one warning says so, as each of its calls is recorded twice.

Nothing is imported or patched to find out. Other tracers put functions of their own in the place
of the SDK's methods, on its classes or on one client, and each function knows its module.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

from ollamatrace import guard
from ollamatrace.clients.binding import Binding, is_of
from ollamatrace.clients.endpoints import OLLAMA, OPENAI
from ollamatrace.settings import is_disabled
from ollamatrace.tracer import Tracer, registry

_OTHERS: Final = {
    "mlflow": ("mlflow.openai.autolog", "call mlflow.openai.autolog(disable=True)"),
    "langfuse": ("langfuse.openai", "import openai instead of it"),
    "openinference.instrumentation": ("OpenInference", "call its instrumentor's uninstrument()"),
    "opentelemetry.instrumentation.openai_v2": (
        "opentelemetry-instrumentation-openai-v2",
        "call OpenAIInstrumentor().uninstrument()",
    ),
    "opentelemetry.instrumentation.openai": (
        "OpenLLMetry (opentelemetry-instrumentation-openai)",
        "leave out OpenAIInstrumentor().instrument() or Traceloop.init()",
    ),
    "opentelemetry.instrumentation.ollama": (
        "OpenLLMetry (opentelemetry-instrumentation-ollama)",
        "leave out OllamaInstrumentor().instrument() or Traceloop.init()",
    ),
    "logfire": ("Logfire", "leave out logfire.instrument_openai()"),
    "langsmith": ("LangSmith", "leave out wrap_openai()"),
    "braintrust": ("Braintrust", "leave out its wrap_openai(), patch_openai(), auto_instrument()"),
    "opik": ("Opik", "leave out track_openai()"),
}
"""By module: what the program knows it by, and how to go on without it."""

_CALLBACKS: Final = ("callbacks", "success_callback", "_async_success_callback")
_OF_CALLBACKS: Final = frozenset(
    {"arize", "arize_phoenix", "braintrust", "langfuse", "langfuse_otel", "langsmith", "logfire"}
    | {"mlflow", "opik", "otel", "traceloop", "weave_otel"}
)
_OPENAI: Final = ("request", *(method for one in OPENAI for method in one.methods))
_OLLAMA: Final = ("_request", *(method for one in OLLAMA for method in one.methods))
_MOST_LAYERS: Final = 20
_MOST_FRAMES: Final = 200

_named: Final[set[str]] = set()
"""Who has been named in this process: that is once, however many clients it makes."""


@guard.shielded
def look(original: Any, twin: Any, binding: Binding) -> None:
    """Warn if somebody else traces the client `original`, of which `twin` has just been made."""
    tracer = binding.explicit or registry.at_hand()
    if is_disabled() if tracer is None else not tracer.is_recording:
        return
    for path in _OLLAMA if is_of(original, "ollama") else _OPENAI:
        *way, name = path.split(".")
        # The caller's object is not to get resources that it has not asked for.
        own = functools.reduce(lambda at, part: _attributes(at).get(part), way, original)
        owner = functools.reduce(lambda at, part: getattr(at, part, None), way, twin)
        _warn(_attributes(own).get(name), tracer)
        _warn(getattr(type(owner), name, None), tracer)


def look_at_first_call(
    begin: functools.partial[Any], owner: Any, name: str, binding: Binding
) -> None:
    """Have `begin`, of the method `name` of the twin's `owner`, look once more when it is called.

    Others may have come since the twin was made. `begin` is changed in place, and back: the calls
    after the first one take no longer.
    """
    change: Any = begin.__setstate__  # type: ignore[attr-defined]  # type checkers do not know it
    before = (begin.func, begin.args, begin.keywords, None)

    def look_first(*args: Any) -> Any:
        change(before)
        _look_again(owner, name, binding)
        return begin(*args)

    change((look_first, (), {}, None))


@guard.shielded
def _look_again(owner: Any, name: str, binding: Binding) -> None:
    tracer = binding.tracer()
    if tracer is None or not tracer.is_recording:
        return
    _warn(_attributes(owner).get(name), tracer)
    _warn(getattr(type(owner), name, None), tracer)
    _warn(getattr(type(owner), "_request", None), tracer)  # of Ollama's clients
    callbacks = _callbacks()
    if callbacks and _is_called_by("litellm"):
        names = ", ".join(callbacks)
        _tell("litellm", f"LiteLLM ({names})", f"take {names} out of its callbacks", tracer)


def _warn(function: Any, tracer: Tracer | None) -> None:
    for module in _modules(function):
        known = _known(module)
        if known is not None:
            _tell(known, *_OTHERS[known], tracer)


@functools.cache
def _known(module: str) -> str | None:
    return next((one for one in _OTHERS if f"{module}.".startswith(f"{one}.")), None)


def _tell(who: str, label: str, remedy: str, tracer: Tracer | None) -> None:
    if who in _named:
        return
    _named.add(who)
    message = (
        f"{label} also traces this client: each call is recorded twice, there and here; "
        f"{remedy}, or leave out TracedClient"
    )
    guard.warn(f"doubled:{who}", message, None if tracer is None else tracer.on_warning)


def _modules(function: Any) -> Iterator[str]:
    """The modules that the layers of a wrapped function are from, the outermost first.

    `functools.wraps` makes a layer say that it is from the module of what is below; what it
    refers to is still where it was written.
    """
    for _ in range(_MOST_LAYERS):
        if function is None:
            return
        layer = getattr(function, "_self_wrapper", function)  # as wrapt keeps what it calls
        layer = getattr(layer, "__func__", layer)
        scope = getattr(layer, "__globals__", None)
        yield str(scope.get("__name__") if scope else type(layer).__module__)
        function = getattr(function, "__wrapped__", None)


def _callbacks() -> list[str]:
    """The tracers among what LiteLLM calls back, if it is here."""
    litellm = _attributes(sys.modules.get("litellm"))
    called = [one for name in _CALLBACKS for one in litellm.get(name, ())]
    names = {one if isinstance(one, str) else _last_module(one) for one in called}
    return sorted(names & _OF_CALLBACKS)


def _last_module(value: Any) -> str:
    return type(value).__module__.rpartition(".")[2]


def _is_called_by(package: str) -> bool:
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        if frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            break
        frame = frame.f_back
    else:
        return False
    return frame is not None


def _attributes(value: Any) -> dict[str, Any]:
    return getattr(value, "__dict__", {})
