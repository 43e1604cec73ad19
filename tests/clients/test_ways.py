"""Each way in which OpenAI's client is asked leaves one whole span and changes nothing."""

from __future__ import annotations

import openai
import pytest

from ollamatrace import TracedClient
from tests.clients.endpoints_stub import BY_PATH, COMPLETION, RESPONSE
from tests.clients.stubs import Stub, contains, done, find, items, plain
from tests.exchanges import arguments, load
from tests.expected import check_chunks


def given_in(name):
    return arguments(load(name)["exchanges"][0])


CHAT = given_in("ollama-v1/chat")
STREAM = given_in("ollama-v1/chat_stream")
GIVEN = {
    "chat": CHAT,
    "chat_stream": STREAM,
    "responses": given_in("ollama-v1/responses"),
    "responses_stream": given_in("ollama-v1/responses_stream"),
    "completions": given_in("ollama-v1/completions"),
    "completions_stream": given_in("ollama-v1/completions_stream"),
    "embeddings_float_batch": given_in("ollama-v1/embeddings_float_batch"),
    "embeddings_base64_default": given_in("ollama-v1/embeddings_base64_default"),
}
CHATS = (
    "chat.completions.create",
    "chat.completions.with_raw_response.create",
    "chat.with_raw_response.completions.create",
    "with_raw_response.chat.completions.create",
    "beta.chat.completions.create",
    "beta.chat.completions.with_raw_response.create",
)
RESPONSES = ("responses.create", "responses.with_raw_response.create")
COMPLETIONS = ("completions.create", "with_raw_response.completions.create")
WHOLE = [
    *(("chat", method) for method in CHATS),
    ("chat", "chat.completions.parse"),
    ("chat", "chat.completions.with_raw_response.parse"),
    ("chat", "beta.chat.completions.parse"),
    *(("responses", method) for method in RESPONSES),
    ("responses", "responses.parse"),
    *(("completions", method) for method in COMPLETIONS),
    ("embeddings_float_batch", "embeddings.create"),
    ("embeddings_float_batch", "embeddings.with_raw_response.create"),
    ("embeddings_base64_default", "embeddings.create"),
]
STREAMED = [
    *(("chat_stream", method) for method in CHATS),
    *(("responses_stream", method) for method in RESPONSES),
    *(("completions_stream", method) for method in COMPLETIONS),
]
NAMES = {
    "chat": ("Completions", "CHAT_MODEL"),
    "responses": ("Responses", "CHAT_MODEL"),
    "completions": ("Completions", "LLM"),
    "embeddings": ("Embeddings", "EMBEDDING"),
}


@pytest.fixture(params=["itself", "copy"])
def made(request):
    """The client itself, or a copy of a copy of it."""
    if request.param == "itself":
        return lambda client: client
    return lambda client: client.copy(timeout=9).with_options(max_retries=1)


def check_name(record, recording, way):
    name, kind = NAMES[recording.split("_")[0]]
    assert record.name == ("Async" if way == "async" else "") + name
    assert record.kind == kind
    assert record.parent_id is None
    assert record.status == "OK"
    of_ollama = "chat" in recording or "completions" in recording
    assert record.provider == ("ollama" if of_ollama else "openai")


@pytest.mark.parametrize(("recording", "method"), WHOLE)
async def test_whole(recording, method, made, way, pair, tracer):
    bare, traced, server = await pair(recording)
    given = GIVEN[recording]
    expected = await done(find(bare, method)(**given))
    got = await done(find(made(traced), method)(**given))
    assert type(got) is type(expected)
    if hasattr(expected, "parse"):
        expected, got = expected.parse(), got.parse()
    assert got == expected
    [record] = tracer.finished()
    check_name(record, recording, way)
    assert record.inputs in (given, server.requests[-1].json)
    check_whole(record, plain(got))


def check_whole(record, answer):
    assert record.end_reason == "returned"
    assert contains(answer, record.outputs)
    assert record.model == answer["model"]
    usage = answer["usage"]
    assert record.usage.total_tokens == usage["total_tokens"]
    assert record.usage.input_tokens == usage.get("prompt_tokens", usage.get("input_tokens"))
    assert record.timing.chunks is None
    assert not record.events


@pytest.mark.parametrize(("recording", "method"), STREAMED)
async def test_streamed(recording, method, made, way, pair, tracer):
    bare, traced, _ = await pair(recording)
    given = GIVEN[recording]
    expected = await done(find(bare, method)(**given))
    got = await done(find(made(traced), method)(**given))
    if hasattr(expected, "parse"):
        assert type(got).__name__ == type(expected).__name__
        expected, got = expected.parse(), got.parse()
    assert isinstance(got, openai.Stream if way == "sync" else openai.AsyncStream)
    expected, got = await items(expected), await items(got)
    assert got == expected
    [record] = tracer.finished()
    check_name(record, recording, way)
    assert record.inputs == given
    check_streamed(record, expected)
    assert (record.usage is None) == (recording == "chat_stream")


def check_streamed(record, chunks):
    assert record.end_reason == "exhausted"
    assert record.timing.chunks == len(chunks)
    assert 0 < record.timing.first_token_ns <= record.end_ns - record.start_ns
    check_chunks(record, [chunk.model_dump() for chunk in chunks])


@pytest.mark.parametrize("status", ["queued", "in_progress"])
async def test_in_the_background(status, way, tracer):
    """What goes on without the program is not cut short; who picks it up has the tokens."""
    begun = {**RESPONSE, "status": status, "background": True, "output": [], "usage": None}
    server = Stub([begun, {**RESPONSE, "background": True}])
    client = TracedClient(server.openai(way), tracer=tracer)
    first = await done(client.responses.create(model="m", input="Hi", background=True))
    await done(client.responses.retrieve(first.id))
    asked, retrieved = tracer.finished()
    assert asked.end_reason == retrieved.end_reason == "returned"
    assert not asked.warnings
    assert "finish_reason" not in asked.attributes
    assert retrieved.attributes["finish_reason"] == "completed"
    assert asked.usage is None
    assert retrieved.kind == "TASK"
    assert retrieved.inputs == {"response_id": "resp_1"}
    assert retrieved.usage.total_tokens == 5


async def test_tokens_of_a_response_are_counted_once(way, tracer):
    server = Stub([RESPONSE])
    client = TracedClient(server.openai(way), tracer=tracer)
    first = await done(client.responses.create(model="m", input="Hi"))
    await done(client.responses.retrieve(first.id))
    await done(client.responses.create(model="m", input="And?", previous_response_id=first.id))
    asked, retrieved, again = tracer.finished()
    assert asked.usage.total_tokens == again.usage.total_tokens == 5
    assert retrieved.usage is None
    assert contains(retrieved.outputs, RESPONSE)
    assert again.inputs == {"model": "m", "input": "And?", "previous_response_id": "resp_1"}


AZURE = {"sync": openai.AzureOpenAI, "async": openai.AsyncAzureOpenAI}


@pytest.mark.parametrize(
    ("method", "given", "reply"),
    [
        ("chat.completions.create", {"messages": []}, COMPLETION),
        ("beta.chat.completions.create", {"messages": []}, COMPLETION),
        ("responses.create", {"input": "Hi"}, RESPONSE),
        ("images.generate", {"prompt": "A cat"}, {"created": 1, "data": []}),
    ],
)
async def test_azure(method, given, reply, made, way, tracer):
    server = Stub([reply])
    bare = server.openai(
        way, AZURE[way], azure_endpoint="http://stub", azure_deployment="d", api_version="1"
    )
    traced = TracedClient(bare, tracer=tracer)
    assert type(traced) is AZURE[way]
    await done(find(made(traced), method)(model="m", **given))
    assert server.requests[0].url.path.startswith("/openai/")
    [record] = tracer.finished()
    assert record.provider == "azure.ai.openai"
    assert record.inputs == {"model": "m", **given}
    assert contains(record.outputs, reply)


async def test_a_call_within_a_call_has_its_own_span(way, tracer):
    """A hook of the HTTP client asks another endpoint while a call goes on."""
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(way), tracer=tracer)

    def judge(request):
        if request.url.path.endswith("/chat/completions"):
            server.replies = [{"id": "m", "model": "mod", "results": []}, COMPLETION]
            return client.moderations.create(input="Hi")
        return None

    async def ajudge(request):
        await done(judge(request))

    client._client.event_hooks = {"request": [ajudge if way == "async" else judge]}
    await done(client.chat.completions.create(model="m", messages=[]))
    inner, outer = tracer.finished()
    assert (inner.kind, outer.kind) == ("GUARDRAIL", "CHAT_MODEL")
    assert inner.parent_id == outer.span_id
    assert inner.outputs["id"] == "m"
    assert outer.outputs["id"] == "c"


@pytest.mark.parametrize("status", [400, 404, 429, 500])
@pytest.mark.parametrize(
    "method",
    ["images.generate", "audio.speech.create", "beta.responses.create", "responses.retrieve"],
)
async def test_a_refused_request_is_an_error(method, status, way, tracer):
    refused = {"content": b'{"error": {"message": "No way"}}', "status_code": status}
    server = Stub([refused])
    given = {"response_id": "r"} if "retrieve" in method else BY_PATH[method].given
    errors = []
    for client in (server.openai(way), TracedClient(server.openai(way), tracer=tracer)):
        with pytest.raises(openai.APIStatusError) as caught:
            await done(find(client, method)(**given))
        errors.append(caught.value)
    assert type(errors[1]) is type(errors[0])
    assert str(errors[1]) == str(errors[0])
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("ERROR", "error")
    assert record.status_message.endswith(str(errors[1]))
    assert record.outputs is None
    [event] = record.events
    assert event["attributes"]["exception.type"].endswith(type(errors[0]).__name__)
