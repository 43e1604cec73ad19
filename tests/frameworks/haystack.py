"""What is done with Haystack."""

from __future__ import annotations

from typing import Annotated

from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from pydantic import BaseModel

from tests.frameworks.script import BOTH, FAILING, QUESTION


class City(BaseModel):
    name: str


def get_weather(city: Annotated[str, "where"]) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def _asked(question):
    return [ChatMessage.from_user(question)]


def _agent(made):
    agent = Agent(chat_generator=made.generator, tools=[create_tool_from_function(get_weather)])
    agent.warm_up()
    return agent


def _told(answer):
    return [(message.role.value, message.texts) for message in answer["messages"]]


def _texts(answer):
    return [reply.text for reply in answer["replies"]]


def tool(made):
    return _told(_agent(made).run(_asked(QUESTION)))


async def tool_async(made):
    return _told(await _agent(made).run_async(_asked(QUESTION)))


def two_tools_at_once(made):
    return _told(_agent(made).run(_asked(BOTH)))


def pipeline(made):
    line = Pipeline()
    line.add_component("model", made.generator)
    return _texts(line.run({"model": {"messages": _asked(QUESTION)}})["model"])


async def pipeline_async(made):
    line = Pipeline()
    line.add_component("model", made.generator)
    return _texts((await line.run_async({"model": {"messages": _asked(QUESTION)}}))["model"])


def stream(made):
    parts = []
    made.generator.run(_asked(QUESTION), streaming_callback=lambda part: parts.append(part.content))
    return parts


async def stream_async(made):
    parts = []

    async def take(part):
        parts.append(part.content)

    await made.generator.run_async(_asked(QUESTION), streaming_callback=take)
    return parts


def structured(made):
    return _texts(made.generator.run(_asked(QUESTION), generation_kwargs={"response_format": City}))


def error(made):
    return _told(_agent(made).run(_asked(FAILING)))


async def error_async(made):
    return await made.generator.run_async(_asked(FAILING))


SCENARIOS = (
    tool,
    tool_async,
    two_tools_at_once,
    pipeline,
    pipeline_async,
    stream,
    stream_async,
    structured,
    error,
    error_async,
)
