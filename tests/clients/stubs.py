"""Servers inside of the process, and one way to drive clients of both kinds."""

from __future__ import annotations

import contextlib
import inspect
import json
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx
import ollama
import openai

from tests.clients.http_library import openai_http

CLIENTS = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}
OLLAMA_CLIENTS = {"sync": ollama.Client, "async": ollama.AsyncClient}
SECRET = "sk-the-secret"  # noqa: S105  it is looked for in records
NOT_GIVEN = [vars(openai)[name] for name in ("NOT_GIVEN", "omit") if name in vars(openai)]
"""What stands for an argument that is not given; ``omit`` is newer."""

_TLS = ssl.create_default_context()


def http_client(way):
    """What OpenAI's clients take as `http_client`; made without reading authorities each time."""
    return (openai_http.AsyncClient if way == "async" else openai_http.Client)(verify=_TLS)


@contextlib.asynccontextmanager
async def openai_clients(way):
    """Makes bare clients of OpenAI's SDK for the addresses of servers, and closes them."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(url, **options):
            options = {"api_key": SECRET, "max_retries": 0, "timeout": 20, **options}
            client = CLIENTS[way](base_url=url + "/v1", http_client=http_client(way), **options)
            return await stack.enter_async_context(entered(client))

        yield make


class Pieces(openai_http.SyncByteStream, openai_http.AsyncByteStream):
    """A body that comes piece by piece, and maybe breaks off."""

    def __init__(self, *pieces, error=None):
        self._pieces = pieces
        self._error = error
        self.closed = 0

    def __iter__(self):
        yield from self._pieces
        if self._error is not None:
            raise self._error

    async def __aiter__(self):
        for piece in self:
            yield piece

    def close(self):
        self.closed += 1

    async def aclose(self):
        self.closed += 1


def body(*pieces, error=None, kind="application/json", **headers):
    """A reply whose body comes in these pieces."""
    stream = Pieces(*pieces, error=error)
    return {"stream": stream, "headers": {"content-type": kind, **headers}}


@dataclass
class Stub:
    """Answers every request with the next of its replies, the last again and again.

    A reply is a JSON value, or what `httpx.Response` takes as keywords.
    """

    replies: list[Any]
    requests: list[Any] = field(default_factory=list)

    def openai(self, way="sync", kind=None, **options):
        """A bare client of OpenAI's SDK that talks to this."""
        make = openai_http.AsyncClient if way == "async" else openai_http.Client
        http = make(
            transport=openai_http.MockTransport(lambda asked: self._answer(asked, openai_http))
        )
        options = {"api_key": SECRET, "max_retries": 0, **options}
        if kind is None:
            kind, options["base_url"] = CLIENTS[way], "http://stub/v1"
        return kind(http_client=http, **options)

    def ollama(self, way="sync", **options):
        """A bare client of Ollama's package that talks to this."""
        transport = httpx.MockTransport(lambda asked: self._answer(asked, httpx))
        return OLLAMA_CLIENTS[way](host="http://stub", transport=transport, **options)

    def _answer(self, request, library):
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        is_response = isinstance(reply, dict) and (
            "stream" in reply or isinstance(reply.get("content"), bytes)
        )
        return library.Response(**{"status_code": 200, **(reply if is_response else _json(reply))})

    @property
    def sent(self):
        """The JSON body of the latest request."""
        return json.loads(self.requests[-1].content)


def _json(value):
    content_type = {"content-type": "application/json"}
    return {"content": json.dumps(value).encode(), "headers": content_type}


def event_stream(*values, done=True):
    """A reply that streams these values as events."""
    lines = [f"data: {json.dumps(value)}\n\n" for value in values] + ["data: [DONE]\n\n"] * done
    content_type = {"content-type": "text/event-stream"}
    return {"content": "".join(lines).encode(), "headers": content_type}


def json_lines(*values):
    """A reply that streams these values as lines, as Ollama does."""
    return {"content": "".join(json.dumps(value) + "\n" for value in values).encode()}


def find(client, path):
    """What is at a path of names from a client."""
    for name in path.split("."):
        client = getattr(client, name)
    return client


async def done(value):
    """What a method of either kind gives."""
    return await value if inspect.isawaitable(value) else value


async def items(stream):
    """All items of an iterable of either kind."""
    if hasattr(stream, "__aiter__"):
        return [item async for item in stream]
    return list(stream)


async def step(stream):
    """The next item of an iterator of either kind."""
    return await anext(stream) if hasattr(stream, "__anext__") else next(stream)


@contextlib.asynccontextmanager
async def entered(manager):
    """A context manager of either kind."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


def plain(value):
    """An answer of an SDK as JSON values."""
    if hasattr(value, "iter_bytes"):
        return value.content
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def contains(outer, inner):
    """Whether all of `inner` is in `outer`, which may have more fields."""
    if isinstance(inner, dict) and isinstance(outer, dict):
        return all(key in outer and contains(outer[key], inner[key]) for key in inner)
    if isinstance(inner, list) and isinstance(outer, list):
        return len(outer) == len(inner) and all(map(contains, outer, inner))
    return outer == inner
