"""What OpenAI's client sends, and what of it is recorded: all but secrets."""

from __future__ import annotations

import io
import json

import openai
import pytest

from ollamatrace import TracedClient
from tests.clients.endpoints_stub import BY_PATH, COMPLETION, MESSAGES, PNG, RESPONSE, WAV
from tests.clients.stubs import (
    NOT_GIVEN,
    SECRET,
    Stub,
    done,
    find,
    openai_clients,
    plain,
)


@pytest.mark.parametrize("nothing", NOT_GIVEN)
@pytest.mark.parametrize(
    ("method", "given", "reply"),
    [
        ("chat.completions.create", {"messages": MESSAGES}, COMPLETION),
        ("beta.chat.completions.create", {"messages": MESSAGES}, COMPLETION),
        ("responses.create", {"input": "Hi"}, RESPONSE),
        ("images.generate", {"prompt": "A cat"}, {"created": 1, "data": []}),
    ],
)
async def test_what_is_not_given_is_not_there(method, given, reply, nothing, way, tracer):
    server = Stub([reply])
    client = TracedClient(server.openai(way), tracer=tracer)
    await done(find(client, method)(model="m", **given, user=nothing))
    [record] = tracer.finished()
    assert record.inputs == server.sent == {"model": "m", **given}


async def test_extra_body_of_a_method(way, tracer):
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(way), tracer=tracer)
    given = {"model": "m", "messages": MESSAGES, "extra_body": {"top_k": 5}}
    await done(client.chat.completions.create(**given))
    [record] = tracer.finished()
    assert record.inputs == given
    assert server.sent["top_k"] == 5


async def test_extra_body_of_an_address(way, tracer):
    server = Stub([{"created": 1, "data": []}])
    client = TracedClient(server.openai(way), tracer=tracer)
    await done(client.images.generate(prompt="A cat", extra_body={"steps": 5}))
    [record] = tracer.finished()
    assert record.inputs == server.sent == {"prompt": "A cat", "steps": 5}


HEADERS = {"Authorization": "Bearer sk-another-secret", "X-Key": "sk-third-secret"}
METHODS = {
    "chat.completions.create": ({"model": "m", "messages": MESSAGES}, COMPLETION),
    "responses.create": ({"model": "m", "input": "Hi"}, RESPONSE),
    "responses.retrieve": ({"response_id": "r"}, RESPONSE),
    **{method: (ask.given, ask.reply) for method, ask in BY_PATH.items()},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("method", METHODS)
async def test_secrets(method, refused, way, tracer):
    given, reply = METHODS[method]
    server = Stub([{"content": b"{}", "status_code": 401} if refused else reply])
    headers = {"X-Default": "sk-default-secret"}
    client = TracedClient(server.openai(way, default_headers=headers), tracer=tracer)
    try:
        await done(find(client, method)(**given, extra_headers=HEADERS))
    except openai.AuthenticationError:
        assert refused
    received = server.requests[0].headers
    assert received["authorization"] == HEADERS["Authorization"]
    assert received["x-default"] == headers["X-Default"]
    lines = b"".join(record.line() for record in tracer.finished())
    for secret in ("sk-another", "sk-third", "sk-default", SECRET, "Bearer"):
        assert secret.encode() not in lines


async def test_secrets_of_a_post(way, tracer):
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(way), tracer=tracer)
    given = {"body": {"model": "m", "messages": []}, "options": {"headers": HEADERS}}
    await done(client.post("/chat/completions", cast_to=object, **given))
    assert server.requests[0].headers["x-key"] == HEADERS["X-Key"]
    [record] = tracer.finished()
    for secret in ("sk-another", "sk-third", SECRET):
        assert secret.encode() not in record.line()


def files(tmp_path):
    path = tmp_path / "speech.wav"
    path.write_bytes(WAV)
    return {
        "bytes": WAV,
        "path": path,
        "file": path.open("rb"),
        "memory": io.BytesIO(WAV),
        "named": ("named.wav", WAV),
        "typed": ("typed.wav", WAV, "audio/wav"),
        "named file": ("named.wav", io.BytesIO(WAV)),
    }


RECORDED = {
    "path": ["speech.wav", "UklGRiQAAABXQVZFZm10IA=="],
    "bytes": "UklGRiQAAABXQVZFZm10IA==",
    "named": ["named.wav", "UklGRiQAAABXQVZFZm10IA=="],
    "typed": ["typed.wav", "UklGRiQAAABXQVZFZm10IA==", "audio/wav"],
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "kind", ["bytes", "path", "file", "memory", "named", "typed", "named file"]
)
@pytest.mark.parametrize("method", ["audio.transcriptions.create", "audio.translations.create"])
async def test_files(method, kind, way, tmp_path, tracer):
    """What is read while it is sent is not read before: the server gets all of it."""
    server = Stub([{"text": "Hello"}])
    for client in (server.openai(way), TracedClient(server.openai(way), tracer=tracer)):
        given = files(tmp_path)
        file = given[kind]
        answer = await done(find(client, method)(model="whisper", file=file))
        assert plain(answer)["text"] == "Hello"
        given["file"].close()
    before, after = (body_of(request) for request in server.requests)
    assert after == before
    assert WAV in after
    [record] = tracer.finished()
    assert record.inputs["model"] == "whisper"
    recorded = record.inputs["file"]
    if kind in RECORDED:
        assert recorded == RECORDED[kind]
    elif kind == "file":
        assert recorded.endswith("speech.wav")
    else:
        assert recorded


def body_of(request):
    """The body, but for the boundary between its parts, which is drawn by lot."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    return request.content.replace(boundary.encode(), b"--")


async def test_several_images(way, tracer):
    """All files of a field are recorded, not the last alone."""
    server = Stub([{"created": 1, "data": []}])
    client = TracedClient(server.openai(way), tracer=tracer)
    images = [("one.png", PNG), ("two.png", PNG)]
    await done(client.images.edit(image=images, prompt="Put them together"))
    assert b"one.png" in server.requests[-1].content
    [record] = tracer.finished()
    text = json.dumps(record.inputs)
    assert "Put them together" in text
    assert "two.png" in text
    assert "one.png" in text


async def test_an_open_file_stays_open(way, tracer):
    server = Stub([{"text": "Hello"}])
    client = TracedClient(server.openai(way), tracer=tracer)
    with io.BytesIO(WAV) as file:
        await done(client.audio.transcriptions.create(model="whisper", file=file))
        file.seek(0)
        assert file.read() == WAV
    [record] = tracer.finished()
    assert record.outputs["text"] == "Hello"


async def test_speech(way, tracer):
    server = Stub([BY_PATH["audio.speech.create"].reply])
    client = TracedClient(server.openai(way), tracer=tracer)
    given = BY_PATH["audio.speech.create"].given
    answer = await done(client.audio.speech.create(**given))
    assert answer.content == answer.read() == b"ID3\xff\xfb"
    [record] = tracer.finished()
    assert record.inputs == given
    assert record.outputs == BY_PATH["audio.speech.create"].outputs


TOOLS = [
    {"type": "mcp", "server_label": "s", "server_url": "http://s", "authorization": "sk-of-mcp"},
    {"type": "mcp", "server_label": "t", "headers": {"Authorization": "Bearer sk-of-mcp"}},
    {"type": "web_search"},
]


@pytest.mark.parametrize("method", ["responses.create", "beta.responses.create"])
async def test_what_lets_the_model_into_other_servers(method, way, tracer):
    server = Stub([RESPONSE])
    client = TracedClient(server.openai(way), tracer=tracer)
    tools = json.loads(json.dumps(TOOLS))
    await done(find(client, method)(model="m", input="Hi", tools=tools))
    assert server.sent["tools"] == tools == TOOLS
    [record] = tracer.finished()
    assert b"sk-of-mcp" not in record.line()
    assert [tool.get("server_label") for tool in record.inputs["tools"]] == ["s", "t", None]


@pytest.mark.parametrize("method", ["chat.completions.create", "beta.chat.completions.create"])
@pytest.mark.parametrize("name", ["api_key", "api-key", "X-Api-Key", "Authorization"])
async def test_keys_in_what_is_added(name, method, way, tracer):
    server = Stub([COMPLETION])
    client = TracedClient(server.openai(way), tracer=tracer)
    more = {name: "sk-added", "top_k": 5}
    await done(
        find(client, method)(model="m", messages=MESSAGES, extra_body=more, extra_query=more)
    )
    assert server.sent[name] == "sk-added"
    assert more[name] == "sk-added"
    [record] = tracer.finished()
    assert b"sk-added" not in record.line()
    assert record.inputs.get("extra_body", record.inputs)["top_k"] == 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_headers_of_a_file(way, tracer):
    server = Stub([{"text": "Hello"}])
    client = TracedClient(server.openai(way), tracer=tracer)
    file = ("a.wav", WAV, "audio/wav", {"X-Key": "sk-of-file"})
    await done(client.audio.transcriptions.create(model="whisper", file=file))
    [record] = tracer.finished()
    assert b"sk-of-file" not in record.line()
    assert record.inputs["file"][0] == "a.wav"


async def test_a_key_that_cannot_be_sent(way, tracer, replay):
    """The HTTP library quotes the header, and it is the cause of what is raised."""
    async with openai_clients(way) as make:
        server, _ = replay("ollama-v1/chat")
        bare = await make(server.url, api_key=f"{SECRET}\n")
        client = TracedClient(bare, tracer=tracer)
        with pytest.raises(openai.APIConnectionError):
            await done(client.chat.completions.create(model="m", messages=MESSAGES))
    [record] = tracer.finished()
    assert SECRET.encode() not in record.line()
    assert b"Bearer <key>" in record.line()
