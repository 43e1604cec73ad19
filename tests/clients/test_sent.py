"""What is recorded is what Ollama received; what the program gave stays as it is."""

from __future__ import annotations

import base64
import copy
from collections import OrderedDict
from pathlib import Path

import ollama
import pytest

from ollamatrace import TracedClient
from tests.clients.endpoints_stub import PNG
from tests.clients.stubs import SECRET, Stub, done, items, json_lines

ANSWER = {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": True}
GENERATED = {"model": "m", "response": "Hi", "done": True}
ENCODED = base64.b64encode(PNG).decode()


def get_weather(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: Where.
        days: How far ahead.
    """
    return f"{city} {days}"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
IMAGES = {
    "bytes": lambda _path: PNG,
    "bytearray": lambda _path: bytearray(PNG),
    "str": str,
    "Path": Path,
    "base64": lambda _path: ENCODED,
    "Image of bytes": lambda _path: ollama.Image(value=PNG),
    "Image of a path": lambda path: ollama.Image(value=path),
    "Image of base64": lambda _path: ollama.Image(value=ENCODED),
}
MESSAGE = {"role": "user", "content": "What is this?"}


async def ask(server, way, tracer, method, **given):
    """Make a traced call of Ollama's client; gives the record and what the server received."""
    client = TracedClient(server.ollama(way), tracer=tracer)
    await done(getattr(client, method)(**given))
    [record] = tracer.finished()
    return record, server.sent


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize("tools", [[get_weather], [TOOL, add, get_weather], (add,), [TOOL], []])
async def test_tools(tools, way, tracer):
    given = {"model": "m", "messages": [MESSAGE], "tools": tools}
    before = copy.copy(tools)
    record, sent = await ask(Stub([ANSWER]), way, tracer, "chat", **given)
    assert record.inputs["tools"] == sent["tools"]
    assert len(sent["tools"]) == len(tools)
    assert tools == before


@pytest.mark.parametrize(
    ("make", "image"),
    [
        *((dict, kind) for kind in IMAGES),
        *((OrderedDict, kind) for kind in IMAGES),
        *((ollama.Message, kind) for kind in IMAGES if kind.startswith("Image")),
    ],
)
async def test_images_of_messages(make, image, picture, way, tracer):
    message = make(**MESSAGE, images=[IMAGES[image](picture)])
    messages = [dict(MESSAGE), message]
    before = copy.deepcopy(messages)
    client = TracedClient((server := Stub([ANSWER])).ollama(way), tracer=tracer)
    await done(client.chat("m", messages))
    picture.unlink()
    [record] = tracer.finished()
    assert server.sent["messages"][1]["images"] == [ENCODED]
    assert record.inputs["messages"] == server.sent["messages"]
    assert messages == before
    assert messages[1] is message


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
async def test_images_of_generate(image, picture, way, tracer):
    images = [image(picture), PNG]
    before = copy.copy(images)
    client = TracedClient((server := Stub([GENERATED])).ollama(way), tracer=tracer)
    await done(client.generate("m", "What is this?", images=images))
    picture.unlink()
    [record] = tracer.finished()
    assert record.inputs["images"] == server.sent["images"] == [ENCODED, ENCODED]
    assert images == before


@pytest.mark.parametrize("text", ["no-such-file", "/no/such/file.png", "\0", "x" * 5000, "é"])
async def test_what_is_no_file(text, way, tracer):
    """Whether the client takes it or not, the record says what was given."""
    server = Stub([GENERATED])
    client = TracedClient(server.ollama(way), tracer=tracer)
    errors = []
    for one in (server.ollama(way), client):
        try:
            await done(one.generate("m", "Hi", images=[text]))
        except Exception as error:  # noqa: BLE001
            errors.append(repr(error))
    [record] = tracer.finished()
    assert record.inputs["images"] == [text]
    assert len(errors) in {0, 2}
    assert errors[:1] == errors[1:]
    assert record.status == ("ERROR" if errors else "OK")


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ARGUMENTS = {
    "schema": {"format": SCHEMA},
    "json": {"format": "json"},
    "think": {"think": True},
    "no thinking": {"think": False},
    "think hard": {"think": "high"},
    "keep alive": {"keep_alive": "5m"},
    "unload": {"keep_alive": 0},
    "options": {"options": {"temperature": 0.5, "seed": 1, "stop": ["x"]}},
    "Options": {"options": ollama.Options(temperature=0.5, num_ctx=64)},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
}


@pytest.mark.parametrize("more", ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.parametrize("method", ["chat", "generate"])
async def test_other_arguments(method, more, way, tracer):
    own = {"messages": [MESSAGE]} if method == "chat" else {"prompt": "Hi"}
    given = {"model": "m", **own, **more}
    before = copy.deepcopy(given)
    record, sent = await ask(Stub([{**ANSWER, **GENERATED}]), way, tracer, method, **given)
    assert list(record.inputs) == list(given)
    for name in given:
        assert record.inputs[name] == sent[name]
    assert given == before


OTHERS = {
    "systemone": (
        "SystemOne",
        {"model": "m", "state": "Hi", "questions": {"q": {"type": "noul", "instructions": "?"}}},
        {"model": "m", "answers": {}, "usage": {"input_tokens": 3, "output_tokens": 1}},
    ),
    "web_search": ("WebSearch", {"query": "sky", "max_results": 1}, {"results": []}),
    "web_fetch": ("WebFetch", {"url": "http://x"}, {"title": "X", "content": "x", "links": []}),
    "create": ("Create", {"model": "n", "from_": "m"}, {"status": "success"}),
    "pull": ("Pull", {"model": "m"}, {"status": "success"}),
    "push": ("Push", {"model": "m"}, {"status": "success"}),
    "embed": ("Embed", {"model": "m", "input": ["a", "b"]}, {"embeddings": [[0.5], [1.5]]}),
    "embeddings": ("Embeddings", {"model": "m", "prompt": "a"}, {"embedding": [0.5]}),
}


@pytest.mark.parametrize("method", OTHERS)
async def test_other_methods_of_ollama(method, way, tracer):
    name, given, reply = OTHERS[method]
    server = Stub([reply])
    headers = {"Authorization": f"Bearer {SECRET}"}
    expected = await done(getattr(server.ollama(way, headers=headers), method)(**given))
    client = TracedClient(server.ollama(way, headers=headers), tracer=tracer)
    assert await done(getattr(client, method)(**given)) == expected
    [record] = tracer.finished()
    assert record.name == ("Async" if way == "async" else "") + name
    assert record.inputs == given
    assert record.outputs == expected.model_dump()
    assert record.end_reason == "returned"
    assert SECRET.encode() not in record.line()


@pytest.mark.parametrize("method", ["pull", "push", "create"])
@pytest.mark.parametrize(("last", "reason"), [("success", "exhausted"), ("half", "incomplete")])
async def test_progress(method, last, reason, way, tracer):
    lines = [{"status": "begun"}, {"status": "goes on", "completed": 5}, {"status": last}]
    client = TracedClient(Stub([json_lines(*lines)]).ollama(way), tracer=tracer)
    got = await items(await done(getattr(client, method)(model="m", stream=True)))
    assert [one.status for one in got] == ["begun", "goes on", last]
    [record] = tracer.finished()
    assert record.end_reason == reason
    assert record.outputs["status"] == last
    assert record.timing.chunks == 3
