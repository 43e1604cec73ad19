"""A program cannot tell a traced client from its own."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import pickle
import re
import weakref
from unittest.mock import AsyncMock, Mock

import ollama
import openai
import pytest

from ollamatrace import TracedClient
from tests.clients.inprocess import ASK, KINDS, ask, close, got, make, scenarios, text

OPENAI = [
    *("chat.completions.create", "chat.completions.parse", "chat.completions.stream"),
    *("completions.create", "embeddings.create", "responses.create", "responses.parse"),
    *("responses.retrieve", "responses.stream", "copy", "with_options", "post", "get", "close"),
    *("chat.completions.with_raw_response.create", "beta.chat.completions.parse"),
]
OLLAMA = [
    *("chat", "generate", "embed", "embeddings", "create", "pull", "push"),
    *("web_search", "web_fetch", "list", "show", "close"),
]
METHODS = [
    (kind, path) for kind in KINDS for path in (OPENAI if kind.endswith("OpenAI") else OLLAMA)
]


@pytest.fixture
def pair(request, tracer):
    """A bare client and a twin; the twin's own bare client is the first."""
    bare = make(request.param)
    return bare, TracedClient(bare, tracer=tracer)


both = pytest.mark.parametrize("pair", KINDS, indirect=True)


def at(owner, path):
    return functools.reduce(getattr, path.split("."), owner)


def form(thing):
    return re.sub(r"0x[0-9a-f]+", "0x…", repr(thing))


def outcome(action, *args):
    try:
        return form(action(*args))
    except Exception as error:  # noqa: BLE001  whatever the program gets is compared
        return type(error)


LOOKS = {
    "type": type,
    "class": lambda client: client.__class__,
    "isinstance": lambda client: [isinstance(client, kind) for kind in KINDS.values()],
    "dir": dir,
    "repr": form,
    "str": str,
    "bool": bool,
    "hashable": lambda client: type(hash(client)),
    "equal to itself": lambda client: client == client,  # noqa: PLR0124
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "weak reference": lambda client: weakref.ref(client)() is client,
    "members": lambda client: [name for name, _ in inspect.getmembers(type(client))],
    "is_closed": lambda client: client.is_closed(),
    "no such attribute": lambda client: client.no_such_attribute,
    "public attributes": lambda client: {
        name: form(getattr(client, name, None)) for name in dir(client) if name[0] != "_"
    },
}


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.parametrize("look", LOOKS)
@both
def test_a_twin_looks_as_the_client(pair, look):
    bare, twin = pair
    assert twin is not bare
    assert outcome(LOOKS[look], twin) == outcome(LOOKS[look], bare)


METHOD_LOOKS = {
    "type": type,
    "repr": form,
    "signature": inspect.signature,
    "ismethod": inspect.ismethod,
    "iscoroutinefunction": inspect.iscoroutinefunction,
    "isgeneratorfunction": inspect.isgeneratorfunction,
    "names": lambda method: (method.__name__, method.__qualname__, method.__module__),
    "doc": lambda method: method.__doc__,
    "getdoc": inspect.getdoc,
    "annotations": lambda method: sorted(method.__annotations__),
    "source": lambda method: inspect.getsource(inspect.unwrap(method)),
    "self": lambda method: type(method.__self__),
    "callable": callable,
    "hashable": lambda method: type(hash(method)),
    "copy": lambda method: copy.copy(method).__name__,
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("look", METHOD_LOOKS)
@pytest.mark.parametrize(("pair", "path"), METHODS, ids=lambda value: value, indirect=["pair"])
def test_its_methods_look_as_the_clients(pair, path, look):
    bare, twin = (at(client, path) for client in pair)
    assert outcome(METHOD_LOOKS[look], twin) == outcome(METHOD_LOOKS[look], bare)


@pytest.mark.parametrize(("pair", "path"), METHODS, indirect=["pair"])
def test_its_methods_belong_to_the_twin(pair, path):
    bare, twin = pair
    owner = at(twin, path.rpartition(".")[0]) if "." in path else twin
    raw = "with_raw_response" in path  # functions of a view, not methods
    assert raw or at(twin, path).__self__ is owner
    assert raw or owner is twin or owner._client is twin
    assert at(twin, path) == at(twin, path)
    assert at(twin, path) != at(bare, path)


def states(client):
    """What the client and the resources that it has hold, by identity."""
    state = dict(vars(client))
    chat = state.get("chat")
    held = [chat, vars(chat).get("completions")] if chat is not None else []
    return [state, *(dict(vars(one)) for one in held if one is not None)]


@both
async def test_the_callers_client_stays_as_it_is(pair, tracer):
    bare, _ = pair
    if hasattr(bare, "completions"):
        assert bare.chat.completions.create
        assert bare.embeddings.create
    before, looks = states(bare), dir(bare)
    twin = TracedClient(bare, tracer=tracer, include_usage=True)
    assert states(bare) == before
    for scenario in scenarios(type(bare).__name__):
        with contextlib.suppress(KeyError, openai.NotFoundError, ollama.ResponseError):
            await scenario(twin)
    assert states(bare) == before
    assert dir(bare) == looks
    tracer.finished()
    await got(ask(bare)(**ASK))
    assert tracer.finished() == []


@pytest.mark.parametrize("pair", ["OpenAI", "AsyncOpenAI"], indirect=True)
@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("api_key", "other", ("authorization", "Bearer other")),
        ("organization", "mine", ("openai-organization", "mine")),
        ("timeout", 3, ("x-stainless-read-timeout", "3")),
        ("_custom_headers", {"x-mine": "1"}, ("x-mine", "1")),
    ],
)
async def test_what_is_set_on_the_twin_is_used_by_it_alone(pair, name, value, sent):
    bare, twin = pair
    seen, send = [], bare._client.send

    def noting(request, **options):
        seen.append(request.headers.get(sent[0]))
        return send(request, **options)

    bare._client.send = noting
    before = getattr(bare, name)
    await got(ask(twin)(**ASK))
    setattr(twin, name, value)
    assert getattr(bare, name) == before
    await got(ask(twin)(**ASK))
    await got(ask(bare)(**ASK))
    assert seen == [seen[0], sent[1], seen[0]] != [sent[1]] * 3
    if name in vars(bare):
        delattr(twin, name)
        assert name not in vars(twin)
    assert getattr(bare, name) == before


@both
async def test_an_attribute_of_the_programs_own(pair):
    bare, twin = pair
    twin.mine = 1
    assert "mine" in dir(twin)
    assert not hasattr(bare, "mine")
    del twin.mine
    assert not hasattr(twin, "mine")


@both
async def test_a_method_that_is_replaced_on_the_twin_is_used(pair, tracer):
    bare, twin = pair
    owner = twin.chat.completions if hasattr(twin, "completions") else twin
    setattr(owner, ask(twin).__name__, lambda **given: given)
    assert ask(twin)(**ASK) == ASK
    assert text(await got(ask(bare)(**ASK))).startswith("0")
    assert tracer.finished() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("twice", [False, True])
async def test_a_method_that_was_replaced_before(kind, twice, tracer):
    bare = make(kind)
    owner = bare.chat.completions if hasattr(bare, "completions") else bare
    name, answer = ask(bare).__name__, {"model": "m", "message": {"content": "mocked"}}
    mock = (AsyncMock if kind.startswith("Async") else Mock)(return_value=answer)
    setattr(owner, name, mock)
    twin = TracedClient(bare, tracer=tracer)
    for _ in range(1 + twice):
        assert await got(ask(twin)(**ASK)) is answer
    mock.assert_called_with(**ASK)
    assert mock.call_count == len(tracer.finished()) == 1 + twice


@pytest.mark.parametrize("kind", KINDS)
async def test_with_blocks_and_close(kind, tracer):
    for leave in (False, True):
        bare = make(kind)
        twin = TracedClient(bare, tracer=tracer)
        if not leave:
            await close(twin)
        elif kind.startswith("Async"):
            async with twin as entered:
                assert entered is twin or kind == "AsyncClient"
        else:
            with twin as entered:
                assert entered is twin
        assert bare._client.is_closed
        with pytest.raises((RuntimeError, openai.APIConnectionError)):
            await got(ask(twin)(**ASK))
