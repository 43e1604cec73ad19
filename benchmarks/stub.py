"""Clients of OpenAI's SDK whose calls are answered at once, without a server.

At the SDK's method nothing but the tracer is left to be measured; at its request, what builds the
arguments is there, too; at the transport all of the SDK is.
"""

from __future__ import annotations

import itertools
import json
import types
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import openai
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from benchmarks import payload

_KEY: Final = "none"
_URL: Final = "http://127.0.0.1:9/v1"


def clients() -> tuple[openai.OpenAI, openai.AsyncOpenAI]:
    """Clients that can reach nothing."""
    options: dict[str, Any] = {"api_key": _KEY, "base_url": _URL, "max_retries": 0}
    return openai.OpenAI(**options), openai.AsyncOpenAI(**options)


def stub_method(answer: dict[str, Any], chunks: int = 0) -> None:
    """Have `create` of the SDK give `answer`, or with ``stream=True`` so many chunks."""
    whole = ChatCompletion.model_validate(answer)
    piece = ChatCompletionChunk.model_validate(payload.chunk())

    def create(_self: Any, *, stream: bool = False, **_: Any) -> Any:
        return _stream(openai.Stream, itertools.repeat(piece, chunks)) if stream else whole

    async def acreate(_self: Any, *, stream: bool = False, **_: Any) -> Any:
        return _stream(openai.AsyncStream, _each(piece, chunks)) if stream else whole

    replaced: Any = Completions, AsyncCompletions
    replaced[0].create, replaced[1].create = create, acreate


def _stream(kind: Any, items: Iterable[Any] | AsyncIterator[Any]) -> Any:
    """The SDK's own stream over chunks that are there."""
    stream = kind.__new__(kind)
    stream.response = types.SimpleNamespace(close=_nothing, aclose=_anothing)
    stream._iterator = iter(items) if isinstance(items, Iterable) else items
    return stream


async def _each(piece: Any, chunks: int) -> AsyncIterator[Any]:
    for _ in range(chunks):
        yield piece


def _nothing() -> None:
    pass


async def _anothing() -> None:
    pass


def stub_request() -> None:
    """Have the SDK answer below all that other tracers replace; each answer is another one.

    To be called before they do so.
    """
    owner: Any
    [owner] = [kind for kind in openai.OpenAI.__mro__ if "request" in vars(kind)]

    def request(_self: Any, _cast_to: Any, options: Any, **_: Any) -> Any:
        number = payload.CALL.findall(options.json_data["messages"][-1]["content"])[0]
        return ChatCompletion.model_validate(payload.answer(payload.said(number), f"call-{number}"))

    owner.request = request


def at_transport(
    answer: dict[str, Any], chunks: int = 0
) -> tuple[openai.OpenAI, openai.AsyncOpenAI]:
    """Clients with all of the SDK and of its HTTP library, but for the network."""
    import httpx2  # what openai is built on from version 3

    whole = json.dumps(answer).encode()
    piece = f"data: {json.dumps(payload.chunk())}\n\n".encode()
    events = piece * chunks + b"data: [DONE]\n\n"

    def respond(request: httpx2.Request) -> httpx2.Response:
        streams = b'"stream":true' in request.content
        kind = "text/event-stream" if streams else "application/json"
        content = events if streams else whole
        return httpx2.Response(200, content=content, headers={"content-type": kind})

    transport = httpx2.MockTransport(respond)
    options: dict[str, Any] = {"api_key": _KEY, "base_url": _URL, "max_retries": 0}
    return (
        openai.OpenAI(**options, http_client=httpx2.Client(transport=transport)),
        openai.AsyncOpenAI(**options, http_client=httpx2.AsyncClient(transport=transport)),
    )
