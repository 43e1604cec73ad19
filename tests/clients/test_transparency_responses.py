"""Responses and answers that a traced client gives are the SDK's."""

from __future__ import annotations

import copy
import inspect
import pickle

import ollama
import openai
import pytest

from ollamatrace import TracedClient
from tests.clients.http_library import openai_http
from tests.clients.inprocess import ASK, ask, close, got, listed, make, text
from tests.clients.test_transparency import form, outcome
from tests.clients.test_transparency_results import stream_of, text_of

OLLAMA = ["Client", "AsyncClient"]
OPENAI = ["OpenAI", "AsyncOpenAI"]
of_openai = pytest.mark.parametrize("clients", OPENAI, indirect=True)
of_ollama = pytest.mark.parametrize("clients", OLLAMA, indirect=True)


@pytest.fixture
def clients(request, tracer):
    """The bare client and a twin."""
    bare = make(request.param)
    return bare, TracedClient(bare, tracer=tracer)


def repickled(response):
    return pickle.loads(pickle.dumps(response))  # noqa: S301  our own bytes


@of_openai
async def test_the_response_of_a_stream_is_the_http_librarys(clients):
    seen = []
    for client in clients:
        stream = await stream_of(client)
        response = stream.response
        assert isinstance(response, openai_http.Response)
        request = response.request
        seen.append(
            [
                *(form(response), dir(response), response.headers, response.status_code),
                *(response.is_closed, response.http_version, request.method, request.url),
                *(outcome(copy.copy, response), outcome(len, response), response.encoding),
                *(outcome(lambda response=response: response.content), response.is_success),
            ]
        )
        await close(stream)
        seen[-1] += [response.is_closed, outcome(repickled, response)]
    assert seen[1] == seen[0]


async def responses_of(client, view, **more):
    made = getattr(client.chat.completions, view).create(**ASK, **more)
    if view == "with_raw_response":
        response = await got(made)
    else:
        response = await made.__aenter__() if hasattr(made, "__aenter__") else made.__enter__()
    seen = [response.__class__.__name__, isinstance(response, openai.APIResponse), form(response)]
    looks = [name for name in dir(response) if name != "__slotnames__"]  # a note of `copy`
    seen += [looks, response.status_code, response.headers, form(response.http_response)]
    seen += [isinstance(response.http_response, openai_http.Response), form(copy.copy(response))]
    parsed = [await got(response.parse()) for _ in range(2)]
    seen += [parsed[0] is parsed[1], type(parsed[0]).__name__, inspect.signature(response.parse)]
    seen += [isinstance(parsed[0], openai.Stream), isinstance(parsed[0], openai.AsyncStream)]
    if more:
        seen += [[text_of(chunk) for chunk in await listed(parsed[0])]]
    else:
        seen += [parsed[0]]
    return [*seen, response.http_response.is_closed, response.retries_taken]


@of_openai
@pytest.mark.parametrize("view", ["with_raw_response", "with_streaming_response"])
@pytest.mark.parametrize("more", [{}, {"stream": True}], ids=["whole", "stream"])
async def test_raw_responses(clients, view, more):
    bare, traced = [await responses_of(client, view, **more) for client in clients]
    assert traced == bare


@of_openai
async def test_an_answer_is_the_very_object_of_openai(clients):
    bare, _ = clients
    kept = []

    class Keeping(type(bare)):
        def post(self, *args, **options):
            made = super().post(*args, **options)
            if inspect.isawaitable(made):
                return self.kept(made)
            kept.append(made)
            return made

        async def kept(self, made):
            kept.append(await made)
            return kept[-1]

    twin = TracedClient(make(type(bare).__name__, cls=Keeping))
    answer = await got(ask(twin)(**ASK))
    assert answer is kept[0]
    assert answer == await got(ask(bare)(**ASK))
    assert text(answer)


@of_ollama
async def test_an_answer_is_the_very_object_of_ollama(clients):
    bare, _ = clients
    kept = []

    class Keeping(type(bare)):
        def _request(self, *args, **options):
            made = super()._request(*args, **options)
            if inspect.isawaitable(made):
                return self.kept(made)
            kept.append(made)
            return made

        async def kept(self, made):
            kept.append(await made)
            return kept[-1]

    answer = await got(ask(TracedClient(make(type(bare).__name__, cls=Keeping)))(**ASK))
    assert type(answer) is ollama.ChatResponse
    assert answer is kept[0]
    assert answer == await got(ask(bare)(**ASK))
