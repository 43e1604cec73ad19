"""What is done with the OpenAI Agents SDK."""

from __future__ import annotations

import asyncio

from agents import (
    Agent,
    GuardrailFunctionOutput,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    input_guardrail,
    set_default_openai_client,
    set_trace_processors,
)
from pydantic import BaseModel

from ollamatrace import span
from tests.frameworks.script import BOTH, FAILING, QUESTION
from tests.frameworks.snippet import itself


def quiet():
    """Have the SDK not send its own traces away."""
    set_trace_processors([])


class City(BaseModel):
    name: str


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def _agent(made, **more):
    return Agent(**{"name": "Assistant", "model": made.model, **more})


def _told(result):
    return [type(item).__name__ for item in result.new_items], result.final_output


def tool(made):
    return _told(Runner.run_sync(_agent(made, tools=[get_weather]), QUESTION))


async def tool_async(made):
    return _told(await Runner.run(_agent(made, tools=[get_weather]), QUESTION))


async def two_tools_at_once(made):
    return _told(await Runner.run(_agent(made, tools=[get_weather]), BOTH))


async def stream(made):
    result = Runner.run_streamed(_agent(made, tools=[get_weather]), QUESTION)
    return [event.type async for event in result.stream_events()], _told(result)


async def structured(made):
    return _told(await Runner.run(_agent(made, output_type=City), QUESTION))


def error(made):
    return _told(Runner.run_sync(_agent(made), FAILING))


async def error_in_stream(made):
    return [
        event.type async for event in Runner.run_streamed(_agent(made), FAILING).stream_events()
    ]


def _responses(made):
    return OpenAIResponsesModel("llama3.2:1b", openai_client=made.client)


async def responses_tool(made):
    return _told(
        await Runner.run(_agent(made, model=_responses(made), tools=[get_weather]), QUESTION)
    )


async def responses_stream(made):
    agent = _agent(made, model=_responses(made), tools=[get_weather])
    result = Runner.run_streamed(agent, QUESTION)
    return [event.type async for event in result.stream_events()], _told(result)


async def default_client(made):
    set_default_openai_client(made.client, use_for_tracing=False)
    return _told(await Runner.run(_agent(made, model="gpt-4o", tools=[get_weather]), QUESTION))


async def handoff(made):
    other = _agent(made, name="Weather", tools=[get_weather])
    return _told(await Runner.run(_agent(made, handoffs=[other]), QUESTION))


SCENARIOS = (
    tool,
    tool_async,
    two_tools_at_once,
    stream,
    structured,
    error,
    error_in_stream,
    responses_tool,
    responses_stream,
    default_client,
    handoff,
)


@function_tool
def look_up(city: str) -> str:
    """Look the weather up, in a thread."""
    with span(f"look up {city}"):
        return f"Sunny in {city}"


def _asking_tool(made):
    """A tool that asks the model itself."""

    @function_tool
    async def ask(city: str) -> str:
        """Ask."""
        question = [{"role": "user", "content": city}]
        answer = await made.client.chat.completions.create(model="inner", messages=question)
        return answer.choices[0].message.content

    return ask


async def tools_that_ask(made):
    return _told(await Runner.run(_agent(made, tools=[_asking_tool(made)]), BOTH))


async def tools_in_threads(made):
    return _told(await Runner.run(_agent(made, tools=[look_up]), BOTH))


async def agent_as_tool(made):
    inner = _agent(made, name="Inner", tools=[get_weather])
    outer = _agent(made, name="Outer", tools=[inner.as_tool("inner", "Ask.")])
    return _told(await Runner.run(outer, QUESTION))


async def runs_at_once(made):
    agent = _agent(made, tools=[_asking_tool(made)])
    return [_told(one) for one in await asyncio.gather(*(_named(agent, n) for n in range(4)))]


async def _named(agent, number):
    config = RunConfig(workflow_name=f"run {number}")
    return await Runner.run(agent, f"{QUESTION} {number}", run_config=config)


@input_guardrail
async def allow(_context, _agent, _input):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


async def guarded(made):
    return _told(await Runner.run(_agent(made, input_guardrails=[allow]), QUESTION))


_CALL = "AsyncCompletions CHAT_MODEL"


def _tree(*lines, top="Agent workflow"):
    return "\n".join([f"{top} CHAIN", *(f"  {line}" for line in lines)])


_ASKED = ("Assistant AGENT", f"  {_CALL}")
_TOLD = f"  {_CALL}"
_TOOL = "  get_weather TOOL"
_INNER = f"    {_CALL}"
STEPS = {
    itself: [_tree(*_ASKED)],
    tool: [_tree(*_ASKED, _TOOL, _TOLD)],
    tool_async: [_tree(*_ASKED, _TOOL, _TOLD)],
    two_tools_at_once: [_tree(*_ASKED, _TOOL, _TOOL, _TOLD)],
    stream: [_tree(*_ASKED, _TOOL, _TOLD)],
    structured: [_tree(*_ASKED)],
    error: ["Agent workflow CHAIN ERROR\n  Assistant AGENT ERROR\n    " + f"{_CALL} ERROR"],
    handoff: [_tree(*_ASKED, "  handoff to Weather CHAIN", "Weather AGENT", _TOLD)],
    tools_that_ask: [_tree(*_ASKED, *["  ask TOOL", _INNER] * 2, _TOLD)],
    tools_in_threads: [
        _tree(
            *_ASKED,
            *("  look_up TOOL", "    look up Paris UNKNOWN"),
            *("  look_up TOOL", "    look up London UNKNOWN"),
            _TOLD,
        )
    ],
    agent_as_tool: [
        _tree(
            *("Outer AGENT", f"  {_CALL}", "  inner TOOL", "    Inner AGENT"),
            *(f"      {_CALL}", "      get_weather TOOL", f"      {_CALL}", _TOLD),
        )
    ],
    guarded: [_tree("Assistant AGENT", "  allow CHAIN", f"  {_CALL}")],
    runs_at_once: [_tree(*_ASKED, "  ask TOOL", _INNER, _TOLD, top=f"run {n}") for n in range(4)],
}
