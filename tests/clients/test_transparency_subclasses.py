"""A program's own subclass of a client stays what it is, and is traced."""

from __future__ import annotations

import functools
import json

import openai
import pytest
from openai.resources.chat import Chat
from openai.resources.chat.completions import Completions

from ollamatrace import TracedClient
from tests.clients.inprocess import ASK, KINDS, got, make, text


def test_subclasses_keep_what_is_their_own(tracer):
    class Slotted(openai.OpenAI):
        __slots__ = ("tag",)

        @functools.cached_property
        def chat(self):
            return OwnChat(self)

    class OwnChat(Chat):
        @functools.cached_property
        def completions(self):
            return OwnCompletions(self._client)

    class OwnCompletions(Completions):
        def create(self, **given):
            return super().create(**{**given, "model": given["model"].upper()})

    bare = make("OpenAI", cls=Slotted, words=lambda asked: [asked["model"]])
    bare.tag = ["mine"]
    twin = TracedClient(bare, tracer=tracer)
    assert twin.tag is bare.tag
    assert type(twin.chat) is OwnChat
    assert text(twin.chat.completions.create(**ASK)) == "M"
    [record] = tracer.finished()
    assert record.inputs == ASK
    assert record.outputs["choices"][0]["message"]["content"] == "M"


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
async def test_a_subclass_with_its_own_chat(kind, tracer):
    class Mine(KINDS[kind]):
        __slots__ = ("seen",)

        def chat(self, *args, **given):
            self.seen.append(given)
            return super().chat(*args, **given, options={"seed": 1})

    bare = make(kind, cls=Mine, words=lambda asked: [json.dumps(asked["options"])])
    bare.seen = []
    twin = TracedClient(bare, tracer=tracer)
    assert json.loads(text(await got(twin.chat(**ASK)))) == {"seed": 1}
    assert bare.seen == [ASK]
    [record] = tracer.finished()
    assert record.inputs == ASK


def test_a_subclass_with_a_resource_that_takes_more(tracer):
    class Extra(Completions):
        def __init__(self, client, suffix):
            super().__init__(client)
            self.suffix = suffix

        def ask(self):
            return self.create(**{**ASK, "model": self.suffix})

    class Mine(openai.OpenAI):
        def __init__(self, **options):
            super().__init__(**options)
            self.extra = Extra(self, "suffix")
            self.extra.used = 5

    bare = make("OpenAI", cls=Mine, words=lambda asked: [asked["model"]])
    twin = TracedClient(bare, tracer=tracer)
    assert (twin.extra.used, twin.extra.suffix) == (5, "suffix")
    assert text(twin.extra.ask()) == "suffix"
    assert bare.extra._client is bare
    assert len(tracer.finished()) == 1
