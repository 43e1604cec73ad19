"""What is done with a model of LlamaIndex's, whichever package it is from."""

from __future__ import annotations

from llama_index.core.agent.workflow import FunctionAgent
from pydantic import BaseModel

from tests.frameworks.script import BOTH, FAILING, QUESTION


class City(BaseModel):
    """A city."""

    name: str


async def get_weather(city: str) -> str:  # in the task: threads would answer in any order
    """Tell the weather."""
    return f"Sunny in {city}"


def _agent(made, *, streaming=False):
    return FunctionAgent(tools=[get_weather], llm=made.llm, streaming=streaming)


async def tool(made):
    return str(await _agent(made).run(QUESTION))


async def two_tools_at_once(made):
    return str(await _agent(made).run(BOTH))


async def agent_stream(made):
    run = _agent(made, streaming=True).run(QUESTION)
    names = [type(event).__name__ async for event in run.stream_events()]
    return sorted(set(names)), str(await run)


def complete(made):
    return str(made.llm.complete(QUESTION))


async def complete_async(made):
    return str(await made.llm.acomplete(QUESTION))


def stream(made):
    return [part.delta for part in made.llm.stream_complete(QUESTION)]


async def stream_async(made):
    return [part.delta async for part in await made.llm.astream_complete(QUESTION)]


def structured(made):
    return made.llm.as_structured_llm(City).complete(QUESTION).raw


async def structured_async(made):
    return (await made.llm.as_structured_llm(City).acomplete(QUESTION)).raw


def error(made):
    return str(made.llm.complete(FAILING))


async def error_async(made):
    return str(await made.llm.acomplete(FAILING))


def error_in_stream(made):
    return [part.delta for part in made.llm.stream_complete(FAILING)]


SCENARIOS = (
    tool,
    two_tools_at_once,
    agent_stream,
    complete,
    complete_async,
    stream,
    stream_async,
    structured,
    structured_async,
    error,
    error_async,
    error_in_stream,
)
