"""All four clients with a server in this process, and what a program does with them."""

from __future__ import annotations

import inspect
import json

import httpx
import ollama
import openai

from tests.clients.http_library import openai_http

WORDS = [f"{number} " for number in range(70)]  # more than go to the worker at once
ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


LONG = {**ASK, "model": "long"}


def words_for(asked):
    return WORDS if asked["model"] == "long" else WORDS[:3]


def echo(asked):
    return f"you said {asked['messages'][0]['content']}".split(" ")


def _openai_body(asked, words):
    head = {"id": "c", "created": 1, "model": "m"}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": " ".join(words[:3])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        return "application/json", [json.dumps(whole)]
    head["object"] = "chat.completion.chunk"
    chunks = [{**head, "choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": _USAGE})
    lines = [*map(json.dumps, chunks), "[DONE]"]
    return "text/event-stream", [f"data: {line}\n\n" for line in lines]


def _ollama_body(asked, words):
    if not asked.get("stream"):
        words = [" ".join(words[:3])]
    chunks = [{"message": {"role": "assistant", "content": word}} for word in words]
    chunks[-1] |= {"done": True, "done_reason": "stop", "eval_count": 2}
    return "application/x-ndjson", [json.dumps({"model": "m", **chunk}) + "\n" for chunk in chunks]


def _transport(http, body, words):
    class Pieces(http.SyncByteStream, http.AsyncByteStream):
        def __init__(self, pieces):
            self.pieces = [piece.encode() for piece in pieces]

        def __iter__(self):
            yield from self.pieces

        async def __aiter__(self):
            for piece in self.pieces:
                yield piece

    def answer(request):
        asked = json.loads(request.content)
        if asked["model"] == "none":
            return http.Response(404, json={"error": {"message": "no such model"}})
        kind, pieces = body(asked, words(asked))
        return http.Response(200, headers={"content-type": kind}, stream=Pieces(pieces))

    return http.MockTransport(answer)


KINDS = {
    "OpenAI": openai.OpenAI,
    "AsyncOpenAI": openai.AsyncOpenAI,
    "Client": ollama.Client,
    "AsyncClient": ollama.AsyncClient,
}


def make(kind, words=words_for, cls=None):
    """A client of this kind, maybe of a subclass; `words` gives what it is answered."""
    if kind.endswith("OpenAI"):
        http = openai_http.AsyncClient if kind == "AsyncOpenAI" else openai_http.Client
        mock = http(transport=_transport(openai_http, _openai_body, words))
        return (cls or KINDS[kind])(api_key="x", max_retries=0, http_client=mock)
    return (cls or KINDS[kind])(transport=_transport(httpx, _ollama_body, words))


async def got(value):
    return await value if inspect.isawaitable(value) else value


async def listed(values):
    if hasattr(values, "__aiter__"):
        return [value async for value in values]
    return list(values)


async def step(stream, *default):
    if hasattr(stream, "__anext__"):
        return await anext(stream, *default)
    return next(stream, *default)


async def close(stream):
    await got((getattr(stream, "aclose", None) or stream.close)())


def ask(client):
    """The method that chats."""
    return client.chat.completions.create if hasattr(client, "completions") else client.chat


def text(answer):
    return (answer.choices[0] if hasattr(answer, "choices") else answer).message.content


async def dumped(values):
    return [value.model_dump() for value in await listed(values)]


async def whole(client):
    return (await got(ask(client)(**ASK))).model_dump()


async def read_to_the_end(client):
    return await dumped(await got(ask(client)(**LONG, stream=True)))


async def left_early(client):
    stream = await got(ask(client)(**ASK, stream=True))
    first = await step(stream)
    await close(stream)
    return first.model_dump()


async def positional(client):
    if hasattr(client, "completions"):
        path, kind = "/chat/completions", openai.types.chat.ChatCompletion
        return (await got(client.post(path, body=ASK, cast_to=kind))).model_dump()
    return (await got(client.chat(ASK["model"], ASK["messages"]))).model_dump()


async def left_by_an_error(client):
    stream = await got(ask(client)(**ASK, stream=True))
    try:
        await step(stream)
        raise KeyError("the program's own")
    finally:
        await close(stream)


async def failing(client):
    return (await got(ask(client)(**{**ASK, "model": "none"}))).model_dump()


async def failing_stream(client):
    return await dumped(await got(ask(client)(**{**ASK, "model": "none"}, stream=True)))


async def raw(client):
    response = await got(client.chat.completions.with_raw_response.create(**ASK))
    return response.status_code, (await got(response.parse())).model_dump()


async def raw_stream(client):
    response = await got(client.chat.completions.with_raw_response.create(**ASK, stream=True))
    return await dumped(await got(response.parse()))


async def streamed_response(client, read, **more):
    manager = client.chat.completions.with_streaming_response.create(**ASK, **more)
    if hasattr(manager, "__aenter__"):
        async with manager as response:
            return await read(response)
    with manager as response:
        return await read(response)


async def body_as_lines(client):
    return await streamed_response(client, lambda response: listed(response.iter_lines()))


async def body_parsed(client):
    async def parsed(response):
        return (await got(response.parse())).model_dump()

    return await streamed_response(client, parsed)


async def stream_of_body(client):
    async def parsed(response):
        return await dumped(await got(response.parse()))

    return await streamed_response(client, parsed, stream=True)


async def body_left(client):
    return await streamed_response(client, lambda read: step(read.iter_lines()), stream=True)


async def copied(client):
    return await whole(client.with_options(timeout=3))


_BOTH = [whole, positional, read_to_the_end, left_early, left_by_an_error]
_BOTH += [failing, failing_stream]
_OPENAI = [raw, raw_stream, body_as_lines, body_parsed, stream_of_body, body_left, copied]


def scenarios(kind):
    """What is done with a client of this kind."""
    return _BOTH + _OPENAI if kind.endswith("OpenAI") else _BOTH
