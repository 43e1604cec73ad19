"""The twin is the client's own class and leaves the client alone."""

from __future__ import annotations

import copy
from unittest import mock

import ollama
import openai
import pytest

from ollamatrace import ConfigError, TracedClient, tracer_of
from tests.exchanges import arguments, load

CHAT = arguments(load("ollama-v1/chat")["exchanges"][0])
NATIVE = arguments(load("ollama-native/chat")["exchanges"][0])


def test_caller_object_is_unchanged(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    completions, before = client.chat.completions, dict(vars(client))
    of_completions = dict(vars(completions))
    TracedClient(client, tracer=tracer).chat.completions.create(**CHAT)
    assert vars(client) == before
    assert client.chat.completions is completions
    assert vars(completions) == of_completions
    client.chat.completions.create(**CHAT)
    assert len(tracer.finished()) == 1


def test_ollama_object_is_unchanged(ollama_client, tracer):
    client = ollama_client("ollama-native/chat")
    before = dict(vars(client))
    TracedClient(client, tracer=tracer).chat(**NATIVE)
    assert vars(client) == before
    assert len(tracer.finished()) == 1


def test_twin_is_of_the_same_class_and_shares_the_connections(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    traced = TracedClient(client, tracer=tracer)
    assert type(traced) is openai.OpenAI
    assert traced._client is client._client
    assert traced.chat.completions.create.__name__ == "create"
    assert traced.chat.completions is not client.chat.completions


def test_closing_the_twin_closes_the_client_and_not_the_tracer(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    with TracedClient(client, tracer=tracer) as traced:
        traced.chat.completions.create(**CHAT)
    assert client.is_closed()
    assert len(tracer.finished()) == 1


@pytest.mark.parametrize("way", ["copy", "with_options"])
def test_copies_of_the_twin_are_traced(way, openai_client, tracer):
    traced = TracedClient(openai_client("ollama-v1/chat"), tracer=tracer, name="mine")
    made = getattr(traced, way)(timeout=3)
    assert made.timeout == 3
    made.chat.completions.create(**CHAT)
    [record] = tracer.finished()
    assert record.name == "mine"


def test_shallow_copy_of_the_twin_is_traced_once(ollama_client, tracer):
    traced = copy.copy(TracedClient(ollama_client("ollama-native/chat"), tracer=tracer))
    traced.chat(**NATIVE)
    assert len(tracer.finished()) == 1


def test_a_twin_of_a_twin_traces_once(openai_client, tracer):
    once = TracedClient(openai_client("ollama-v1/chat"), tracer=tracer)
    assert TracedClient(once) is once
    twice = TracedClient(once, tracer=tracer, name="renamed")
    twice.chat.completions.create(**CHAT)
    [record] = tracer.finished()
    assert record.name == "renamed"


def test_parse_is_one_span(openai_client, tracer):
    traced = TracedClient(openai_client("ollama-v1/chat"), tracer=tracer)
    given = {key: value for key, value in CHAT.items() if key != "stream"}
    answer = traced.chat.completions.parse(**given)
    [record] = tracer.finished()
    assert record.outputs == answer.model_dump()


@pytest.mark.parametrize(
    "thing", [None, "http://localhost:11434", object(), openai, ollama, openai.OpenAI]
)
def test_anything_else_is_refused(thing, tracer):
    with pytest.raises(TypeError) as caught:
        TracedClient(thing, tracer=tracer)
    for name in ("openai.OpenAI", "openai.AsyncOpenAI", "ollama.Client", "ollama.AsyncClient"):
        assert name in str(caught.value)
    assert repr(thing) in str(caught.value) or repr(type(thing)) in str(caught.value)


def test_subclasses_are_taken(tracer):
    class Mine(openai.OpenAI):
        pass

    with Mine(api_key="x") as client:
        assert type(TracedClient(client, tracer=tracer)) is Mine


def test_azure_says_so(openai_client, tracer, replay):
    server, _ = replay("ollama-v1/err_unknown_model")
    with openai.AzureOpenAI(
        base_url=server.url + "/v1", api_key="x", api_version="1", max_retries=0
    ) as client:
        traced = TracedClient(client, tracer=tracer)
        assert type(traced) is openai.AzureOpenAI
        with pytest.raises(openai.NotFoundError):
            traced.chat.completions.create(model="m", messages=[])
    [record] = tracer.finished()
    assert record.provider == "azure.ai.openai"


def test_the_port_says_ollama(tracer):
    with openai.OpenAI(
        base_url="http://127.0.0.1:11434/v1", api_key="x", max_retries=0, timeout=5
    ) as client:
        traced = TracedClient(client, tracer=tracer)
        with pytest.raises(openai.OpenAIError):
            traced.chat.completions.create(model="no-such-model", messages=[])
    [record] = tracer.finished()
    assert record.provider == "ollama"
    assert record.status == "ERROR"


def test_tracer_of(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    assert tracer_of(client) is None
    assert tracer_of(TracedClient(client, tracer=tracer)) is tracer


def test_two_choices_of_tracer_are_refused(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    for more in ({"server": "console:"}, {"experiment": "e"}):
        with pytest.raises(ConfigError, match="tracer="):
            TracedClient(client, tracer=tracer, **more)


def test_clients_with_the_same_server_share_a_tracer(openai_client, tmp_path):
    client, server = openai_client("ollama-v1/chat"), f"sqlite:///{tmp_path}/x.db"
    one, two = TracedClient(client, server=server), TracedClient(client, server=server)
    other = TracedClient(client, server=server, experiment="other")
    assert tracer_of(one) is tracer_of(two)
    assert tracer_of(one) is not tracer_of(other)


def test_positional_arguments_get_their_names(ollama_client, tracer):
    traced = TracedClient(ollama_client("ollama-native/chat"), tracer=tracer)
    traced.chat("gemma3:270m", NATIVE["messages"], options=NATIVE["options"])
    [record] = tracer.finished()
    assert list(record.inputs) == ["model", "messages", "options"]
    assert record.inputs["messages"] == NATIVE["messages"]


def test_sentinels_and_secrets_are_not_recorded(openai_client, tracer):
    traced = TracedClient(openai_client("ollama-v1/chat"), tracer=tracer)
    traced.chat.completions.create(
        **CHAT, top_p=openai.NOT_GIVEN, extra_headers={"X-Key": "sk-also-secret"}
    )
    [record] = tracer.finished()
    assert record.inputs == CHAT
    assert b"secret" not in record.line()


COMPLETIONS = "openai.resources.chat.completions.Completions.create"


def test_a_method_replaced_on_the_class_is_the_one_that_is_called(openai_client, tracer):
    traced = TracedClient(openai_client("ollama-v1/chat"), tracer=tracer)
    with mock.patch(COMPLETIONS, return_value=5) as replaced:
        assert traced.chat.completions.create(**CHAT) == 5
    replaced.assert_called_once_with(**CHAT)
    [record] = tracer.finished()
    assert record.inputs == CHAT


def test_a_replaced_method_gets_its_object(ollama_client, tracer):
    traced = TracedClient(ollama_client("ollama-native/chat"), tracer=tracer)
    with mock.patch.object(ollama.Client, "chat", autospec=True, return_value=5) as replaced:
        assert traced.chat(**NATIVE) == 5
    replaced.assert_called_once_with(traced, **NATIVE)
    assert len(tracer.finished()) == 1


def test_what_the_program_set_on_its_client_is_kept(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    client.chat.completions.create = mine = lambda **_given: "mine"
    client.chat.completions.note = "a note"
    traced = TracedClient(client, tracer=tracer)
    assert traced.chat.completions.create(**CHAT) == "mine"
    assert traced.chat.completions.note == "a note"
    assert client.chat.completions.create is mine
    [record] = tracer.finished()
    assert record.outputs == "mine"


def test_what_the_program_put_for_a_resource_is_left_alone(openai_client, tracer):
    client = openai_client("ollama-v1/chat")
    client.chat = mine = mock.MagicMock()
    create = mine.completions.create
    traced = TracedClient(client, tracer=tracer)
    assert traced.chat is mine
    assert traced.chat.completions.create is create
