"""What is said where somebody else traces the client, too: stand-ins shaped as the real ones.

`pytest -m doubles` has the real ones.
"""

from __future__ import annotations

import functools
import types

import ollama
import openai
import pytest

from ollamatrace import TracedClient, set_default
from ollamatrace.clients import doubled
from ollamatrace.context import span_var
from ollamatrace.testing import MemoryTracer
from tests.clients.stubs import Stub

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}
    ],
}
Completions = type(openai.OpenAI(api_key="none").chat.completions)


def module(name, **known):
    """Functions as if written in another package; what is in it goes by `__globals__`."""
    code = """
import functools

def wrap(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

def around(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs)
"""
    made = types.ModuleType(name)
    exec(code, vars(made))  # noqa: S102
    vars(made).update(known)
    return made


class FunctionWrapper:
    """As `wrapt` 2.5 makes it, of which OpenInference, OpenLLMetry and Langfuse make use."""

    def __init__(self, wrapped, wrapper):
        functools.update_wrapper(self, wrapped)
        self._self_wrapper = wrapper

    def __get__(self, instance, owner):
        if instance is None:
            return self
        return types.MethodType(self, instance)

    def __call__(self, instance, *args, **kwargs):
        bound = self.__wrapped__.__get__(instance)
        return self._self_wrapper(bound, instance, args, kwargs)


@pytest.fixture(autouse=True)
def told(tracer):
    tracer.on_warning = (told := []).append
    return told


@pytest.fixture
def client():
    with Stub([ANSWER]).openai() as client:
        yield client


def by_mlflow(monkeypatch):  # 3.17: a function in the class
    wrap = module("mlflow.utils.autologging_utils.safety").wrap
    monkeypatch.setattr(Completions, "create", wrap(Completions.create))


def by_openinference(monkeypatch):  # 0.1.66: in the class of the client
    wrapper = module("openinference.instrumentation.openai._request").around
    request = FunctionWrapper(openai.OpenAI.request, wrapper)
    monkeypatch.setattr(openai.OpenAI, "request", request)


@pytest.mark.parametrize(
    ("patch", "who"), [(by_mlflow, "mlflow.openai.autolog"), (by_openinference, "OpenInference")]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_patched_class(patch, who, when, monkeypatch, client, tracer, told, caplog):
    if when == "before":
        patch(monkeypatch)
    traced = TracedClient(client, tracer=tracer)
    assert len(told) == (when == "before")
    if when == "after":
        patch(monkeypatch)
    for _ in range(2):
        assert traced.chat.completions.create(**ASK).choices[0].message.content == "Yes."
    TracedClient(client, tracer=tracer, name="again").chat.completions.create(**ASK)
    [warning] = told
    assert warning.startswith(f"{who} also traces this client: each call is recorded twice")
    assert caplog.messages == [warning]
    assert len(tracer.finished()) == 3


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_client_of_which_a_method_is_replaced(when, client, tracer, told):
    wrap = module("langsmith.wrappers._openai").wrap  # 0.15
    traced = TracedClient(client, tracer=tracer) if when == "after" else client
    completions = traced.chat.completions
    completions.create = wrap(completions.create)
    if when == "before":
        traced = TracedClient(client, tracer=tracer)
    assert len(told) == (when == "before")
    traced.chat.completions.create(**ASK)
    assert [one.startswith("LangSmith also traces this client") for one in told] == [True]
    assert len(tracer.finished()) == 1


def test_ollamas_own_request(monkeypatch, tracer, told):
    wrapper = module("opentelemetry.instrumentation.ollama").around  # 0.62 of OpenLLMetry
    client = Stub([{"model": "m", "message": {"role": "assistant", "content": "Yes."}}]).ollama()
    with client._client:
        traced = TracedClient(client, tracer=tracer)
        request = FunctionWrapper(ollama.Client._request, wrapper)
        monkeypatch.setattr(ollama.Client, "_request", request)
        assert traced.chat(**ASK).message.content == "Yes."
    assert "OllamaInstrumentor" in "".join(told)


@pytest.mark.parametrize(
    ("callbacks", "named"),
    [([], []), (["prometheus"], []), (["langsmith", "prometheus"], ["LiteLLM (langsmith)"])],
)
def test_callbacks_of_litellm(callbacks, named, monkeypatch, client, tracer, told):
    litellm = module("litellm", callbacks=callbacks, success_callback=[])  # 1.106
    monkeypatch.setitem(doubled.sys.modules, "litellm", litellm)
    traced = TracedClient(client, tracer=tracer)
    through = litellm.wrap(traced.chat.completions.create)
    through(**ASK)
    assert [one.partition(" also")[0] for one in told] == named


def test_callbacks_of_litellm_are_nothing_to_other_calls(monkeypatch, client, tracer, told):
    litellm = module("litellm", callbacks=["langsmith"])
    monkeypatch.setitem(doubled.sys.modules, "litellm", litellm)
    TracedClient(client, tracer=tracer).chat.completions.create(**ASK)
    assert told == []


def test_nothing_is_said_of_wrappers_that_do_not_trace(monkeypatch, client, tracer, told, caplog):
    wrap = module("tenacity").wrap
    monkeypatch.setattr(Completions, "create", wrap(Completions.create))
    traced = TracedClient(client, tracer=tracer)
    traced.chat.completions.create = module("program").wrap(traced.chat.completions.create)
    traced.chat.completions.create(**ASK)
    assert told == caplog.messages == []


def test_nothing_is_said_where_nothing_is_recorded(monkeypatch, client, tracer, told, caplog):
    by_mlflow(monkeypatch)
    tracer.disable()
    TracedClient(client, tracer=tracer).chat.completions.create(**ASK)
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    set_default(None)
    TracedClient(client).chat.completions.create(**ASK)
    assert told == caplog.messages == []


def test_the_default_tracer_hears_of_it(monkeypatch, client):
    by_mlflow(monkeypatch)
    with MemoryTracer() as other:
        other.on_warning = (told := []).append
        set_default(other)
        TracedClient(client)
    assert len(told) == 1


def test_calls_after_the_first_look_no_more(monkeypatch, client, tracer):
    traced = TracedClient(client, tracer=tracer)
    traced.chat.completions.create(**ASK)
    looked = []
    monkeypatch.setattr(doubled, "_look_again", looked.append)
    traced.chat.completions.create(**ASK)
    assert looked == []
    assert span_var.get() is None
