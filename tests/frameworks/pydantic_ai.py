"""What is done with Pydantic AI."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput

from tests.frameworks.script import BOTH, FAILING, QUESTION


class City(BaseModel):
    name: str


def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def _agent(made, **more):
    return Agent(made.model, tools=[get_weather], **more)


def _told(result):
    return [type(message).__name__ for message in result.all_messages()], result.output


def tool(made):
    return _told(_agent(made).run_sync(QUESTION))


async def tool_async(made):
    return _told(await _agent(made).run(QUESTION))


async def two_tools_at_once(made):
    return _told(await _agent(made).run(BOTH))


async def stream(made):
    async with _agent(made).run_stream(QUESTION) as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    return texts, result.usage.input_tokens


def stream_sync(made):
    result = Agent(made.model).run_stream_sync(QUESTION)
    return list(result.stream_text(delta=True, debounce_by=None))


async def steps(made):
    async with _agent(made).iter(QUESTION) as run:
        names = [type(node).__name__ async for node in run]
    return names, run.result.output


def structured(made):
    return _told(Agent(made.model, output_type=City).run_sync(QUESTION))


async def structured_by_schema(made):
    return _told(await Agent(made.model, output_type=NativeOutput(City)).run(QUESTION))


def error(made):
    return _told(_agent(made).run_sync(FAILING))


async def error_in_stream(made):
    async with _agent(made).run_stream(FAILING) as result:
        return [text async for text in result.stream_text()]


SCENARIOS = (
    tool,
    tool_async,
    two_tools_at_once,
    stream,
    stream_sync,
    steps,
    structured,
    structured_by_schema,
    error,
    error_in_stream,
)
