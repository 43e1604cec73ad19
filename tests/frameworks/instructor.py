"""What is done with Instructor, which has no agents: its tools are what answers are made of."""

from __future__ import annotations

from collections.abc import Iterable

import instructor
from openai import AsyncOpenAI
from pydantic import BaseModel, field_validator

import ollamatrace
from tests.frameworks.script import BOTH, FAILING, QUESTION

MODEL = "llama3.2:1b"


class City(BaseModel):
    name: str


class Never(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def check(cls, value: str) -> str:
        raise ValueError(f"{value} will not do")


def _asked(question):
    return {"model": MODEL, "messages": [{"role": "user", "content": question}]}


def _asynchronous(made, **more):
    # Looked up now: it is another one where a bare client is tried.
    client = AsyncOpenAI(base_url=made.openai.base_url, api_key="ollama")
    return instructor.from_openai(ollamatrace.TracedClient(client), **more)


def tool(made):
    return made.client.create(response_model=City, **_asked(QUESTION))


async def tool_async(made):
    return await _asynchronous(made).create(response_model=City, **_asked(QUESTION))


def several(made):
    return list(made.client.create(response_model=Iterable[City], **_asked(BOTH)))


def stream(made):
    return list(made.client.create_partial(response_model=City, **_asked(QUESTION)))


async def stream_async(made):
    parts = _asynchronous(made).create_partial(response_model=City, **_asked(QUESTION))
    return [part async for part in parts]


def structured(made):
    client = instructor.from_openai(made.openai, mode=instructor.Mode.JSON_SCHEMA)
    return client.create(response_model=City, **_asked(QUESTION))


def asked_again(made):
    return made.client.create(response_model=Never, max_retries=2, **_asked(QUESTION))


def error(made):
    return made.client.create(response_model=City, **_asked(FAILING))


async def error_async(made):
    return await _asynchronous(made).create(response_model=City, **_asked(FAILING))


SCENARIOS = (
    tool,
    tool_async,
    several,
    stream,
    stream_async,
    structured,
    asked_again,
    error,
    error_async,
)
