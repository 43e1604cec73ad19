"""What is done with smolagents, which is synchronous."""

from __future__ import annotations

from smolagents import ChatMessage, ToolCallingAgent
from smolagents import tool as as_tool

from tests.frameworks.script import BOTH, FAILING, QUESTION

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "City",
        "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


@as_tool
def get_weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    return f"Sunny in {city}"


def _agent(made, **more):
    return ToolCallingAgent(tools=[get_weather], model=made.model, verbosity_level=0, **more)


def _asked(question):
    return [ChatMessage(role="user", content=question)]


def tool(made):
    return _agent(made).run(QUESTION)


def two_tools_at_once(made):
    return _agent(made).run(BOTH)


def agent_stream(made):
    steps = _agent(made, stream_outputs=True).run(QUESTION, stream=True)
    return [type(step).__name__ for step in steps]


def stream(made):
    return [part.content for part in made.model.generate_stream(_asked(QUESTION))]


def structured(made):
    return made.model.generate(_asked(QUESTION), response_format=SCHEMA).content


def error(made):
    return _agent(made).run(FAILING)


def error_in_stream(made):
    return list(made.model.generate_stream(_asked(FAILING)))


SCENARIOS = (tool, two_tools_at_once, agent_stream, stream, structured, error, error_in_stream)
