"""What is recorded is what was sent and received, whatever the program does next."""

from __future__ import annotations

import base64
import contextlib
import contextvars
import gc
import json
import threading

import ollama
import openai
import pydantic
import pytest

from ollamatrace import Capture, TracedClient
from ollamatrace.cli.replay import ReplayServer
from ollamatrace.testing import MemoryTracer
from tests.exchanges import arguments, load

CHAT = arguments(load("ollama-v1/chat")["exchanges"][0])
TOOLS = arguments(load("ollama-v1/tools_auto")["exchanges"][0])
NATIVE = arguments(load("ollama-native/chat")["exchanges"][0])


def test_changes_after_the_call_are_not_recorded(openai_client, tracer):
    client = TracedClient(openai_client("ollama-v1/chat"), tracer=tracer)
    messages = [dict(message) for message in CHAT["messages"]]
    answer = client.chat.completions.create(**{**CHAT, "messages": messages})
    received = answer.model_dump()
    messages[0]["content"] = "changed"
    messages.append({"role": "user", "content": "new"})
    answer.choices[0].message.content = "changed"
    answer.choices.clear()
    [record] = tracer.finished()
    assert record.inputs == CHAT
    assert record.outputs == received


def test_changed_tool_arguments_are_not_recorded(ollama_client, tracer):
    given = arguments(load("ollama-native/chat_tools")["exchanges"][0])
    client = TracedClient(ollama_client("ollama-native/chat_tools"), tracer=tracer)
    answer = client.chat(**given)
    answer.message.tool_calls[0].function.arguments["city"] = "changed"
    [record] = tracer.finished()
    call = record.outputs["message"]["tool_calls"][0]["function"]
    assert call == {"name": "get_weather", "arguments": {"city": "Paris"}}


def test_a_big_image_is_shared_not_copied(ollama_client, tracer):
    image = b"\x89PNG" + bytes(3_000_000)
    message = {"role": "user", "content": "What is this?", "images": [image]}
    client = TracedClient(ollama_client("ollama-native/chat"), tracer=tracer)
    tracer.pipeline.pump = lambda *_args, **_more: False  # the span stays in the queue
    client.chat(**{**NATIVE, "messages": [message]})
    message["content"] = "changed"
    message["images"].clear()
    assert sum(1 for holder in gc.get_referrers(image) if type(holder) is list) == 1
    del tracer.pipeline.pump
    [record] = tracer.finished()
    sent = record.inputs["messages"][0]
    assert sent["content"] == "What is this?"
    assert sent["images"] == [base64.b64encode(image).decode()]


def test_response_messages_in_the_next_call_are_as_sent(openai_client, tracer):
    client = TracedClient(openai_client("ollama-v1/tools_auto"), tracer=tracer)
    answer = client.chat.completions.create(**TOOLS)
    call = answer.choices[0].message.tool_calls[0]
    messages = [
        *TOOLS["messages"],
        answer.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny"},
    ]
    client = TracedClient(openai_client("ollama-v1/tools_auto"), tracer=tracer)
    client.chat.completions.create(**{**TOOLS, "messages": messages})
    _, record = tracer.finished()
    sent = record.inputs["messages"][1]
    assert sent["role"] == "assistant"
    assert sent["tool_calls"][0]["function"]["arguments"] == '{"city":"Paris"}'
    assert "refusal" not in sent  # nobody set it, so the SDK does not send it


def test_ollama_messages_and_functions(replay, tracer):
    def get_weather(city: str) -> str:
        """Weather now in a city."""
        return city

    server, _ = replay("ollama-native/chat")
    bare = ollama.Client(host=server.url)
    with bare._client:
        TracedClient(bare, tracer=tracer).chat(
            model="gemma3:270m",
            messages=[ollama.Message(role="user", content="Hi")],
            tools=[get_weather],
        )
    [record] = tracer.finished()
    assert record.inputs["messages"] == [{"role": "user", "content": "Hi"}]
    sent = json.loads(server.requests[-1].body)["tools"]
    assert record.inputs["tools"] == sent
    assert sent[0]["function"]["name"] == "get_weather"


@pytest.mark.parametrize(
    "odd",
    [threading.Lock(), {1, 2}, 2**80, "\ud800", b"\xff", object(), (n for n in range(3))],
    ids=lambda value: type(value).__name__,
)
def test_what_json_does_not_know_does_not_stop_the_call(odd, ollama_client, tracer):
    class Passive(ollama.Client):
        """Takes anything and sends what the recording knows."""

        def chat(self, *args, **kwargs):
            kwargs.pop("odd")
            return super().chat(*args, **kwargs)

    bare = ollama_client("ollama-native/chat")
    bare.__class__ = Passive
    client = TracedClient(bare, tracer=tracer)
    answer = client.chat(**NATIVE, odd=odd)
    [record] = tracer.finished()
    assert record.outputs == answer.model_dump()
    assert record.inputs["odd"]
    assert {key: record.inputs[key] for key in NATIVE} == NATIVE
    record.line()
    if not isinstance(odd, (bytes, str, set)) and hasattr(odd, "__next__"):
        assert list(odd) == [0, 1, 2]  # not consumed


def test_long_texts_are_cut_to_the_setting(ollama_client):
    with MemoryTracer(capture=Capture(max_leaf_bytes=100)) as tracer:
        client = TracedClient(ollama_client("ollama-native/chat"), tracer=tracer)
        message = {"role": "user", "content": "x" * 1000}
        client.chat(**{**NATIVE, "messages": [message]})
        [record] = tracer.finished()
    assert record.inputs["messages"] == [{"role": "user", "content": "x" * 100 + "…"}]
    assert record.warnings == ["a text of 1,000 characters was cut to 100"]


def test_a_failing_recorder_does_not_stop_the_call(ollama_client, tracer, monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    client = TracedClient(ollama_client("ollama-native/chat"), tracer=tracer)
    for broken in ("begin", "end", "take_inputs"):
        with monkeypatch.context() as patch:
            patch.setattr("ollamatrace.clients.call.Call." + broken, lambda *_: 1 / 0)
            # In a context of its own: what is broken is also what puts the current span back.
            answer = contextvars.copy_context().run(client.chat, **NATIVE)
            assert answer.message.content == " The capital of France is Paris."
    assert "ollamatrace failed" in caplog.text


def test_an_output_schema_given_as_a_class(openai_client, tracer):
    class City(pydantic.BaseModel):
        name: str

    client = TracedClient(openai_client("ollama-v1/json_schema"), tracer=tracer)
    given = {"model": CHAT["model"], "messages": CHAT["messages"]}
    with contextlib.suppress(openai.OpenAIError, pydantic.ValidationError):
        client.chat.completions.parse(**given, response_format=City)
    [record] = tracer.finished()
    assert record.inputs == {**given, "response_format": City.model_json_schema()}


def test_many_vectors_are_whole(openai_client, tracer):
    """An answer of more numbers than there may be values."""
    from openai.types import CreateEmbeddingResponse

    bare = openai_client("ollama-v1/embeddings_float_batch")
    vectors = [{"object": "embedding", "index": n, "embedding": [0.5] * 768} for n in range(300)]
    answer = CreateEmbeddingResponse.construct(
        object="list", model="m", data=vectors, usage={"prompt_tokens": 3, "total_tokens": 3}
    )
    embeddings = TracedClient(bare, tracer=tracer).embeddings
    embeddings._post = lambda *_args, **_more: answer
    assert embeddings.create(model="m", input="x") is answer
    [record] = tracer.finished()
    assert record.outputs == answer.model_dump()
    assert record.usage.total_tokens == 3
    assert not record.warnings


def test_a_subclass_whose_call_makes_other_calls(replay, tracer):
    class Mine(ollama.Client):
        def chat(self, *args, **kwargs):
            self.embed(model="gemma3-embed:270m", input="hello")
            return super().chat(*args, **kwargs)

    exchanges = [load(f"ollama-native/{name}")["exchanges"][0] for name in ("embed", "chat")]
    with ReplayServer(exchanges, pace=0) as server:
        bare = Mine(host=server.url)
        with bare._client:
            TracedClient(bare, tracer=tracer).chat(**NATIVE)
    embed, chat = tracer.finished()
    assert embed.parent_id == chat.span_id
    assert embed.provider == "ollama"
