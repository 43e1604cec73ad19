"""What is done with a chat model of LangChain's, whichever package it is from."""

from __future__ import annotations

import asyncio
from typing import TypedDict

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableParallel
from langchain_core.tools import tool as as_tool
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from ollamatrace import span
from tests.frameworks.script import BOTH, CITIES, FAILING, QUESTION
from tests.frameworks.snippet import itself


class City(BaseModel):
    """A city."""

    name: str


@as_tool
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def asked(question):
    return {"messages": [("user", question)]}


def _told(answer):
    return [(message.type, message.content) for message in answer["messages"]]


def _agent(made, *tools):
    agent = create_agent(made.model, list(tools) or [get_weather])
    return agent.with_config(getattr(made, "config", None))


def _chat(made):
    """The model, which is run with the handler where there is one."""
    return made.model.with_config(getattr(made, "config", None))


def _chain(made, *more):
    chain = made.model | StrOutputParser()
    for one in more:
        chain |= one
    return chain.with_config(getattr(made, "config", None))


def tool(made):
    return _told(_agent(made).invoke(asked(QUESTION)))


async def tool_async(made):
    return _told(await _agent(made).ainvoke(asked(QUESTION)))


def two_tools_at_once(made):
    return _told(_agent(made).invoke(asked(BOTH)))


def agent_stream(made):
    chunks = _agent(made).stream(asked(QUESTION), stream_mode="messages")
    return [(type(chunk).__name__, chunk.content) for chunk, _ in chunks]


async def agent_stream_async(made):
    chunks = _agent(made).astream(asked(QUESTION), stream_mode="messages")
    return [(type(chunk).__name__, chunk.content) async for chunk, _ in chunks]


def stream(made):
    return [(chunk.content, chunk.usage_metadata) for chunk in made.model.stream(QUESTION)]


async def stream_async(made):
    return [(chunk.content, chunk.usage_metadata) async for chunk in made.model.astream(QUESTION)]


def structured(made):
    return made.model.with_structured_output(City, method="json_schema").invoke(QUESTION)


def structured_by_tool(made):
    return made.model.with_structured_output(City, method="function_calling").invoke(QUESTION)


async def structured_async(made):
    return await made.model.with_structured_output(City, method="json_schema").ainvoke(QUESTION)


def batch(made):
    return sorted(answer.content for answer in made.model.batch([QUESTION] * 3))


def error(made):
    return _told(_agent(made).invoke(asked(FAILING)))


async def error_async(made):
    return await made.model.ainvoke(FAILING)


def error_in_stream(made):
    return list(made.model.stream(FAILING))


SCENARIOS = (
    tool,
    tool_async,
    two_tools_at_once,
    agent_stream,
    agent_stream_async,
    stream,
    stream_async,
    structured,
    structured_by_tool,
    structured_async,
    batch,
    error,
    error_async,
    error_in_stream,
)


class Weather(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):  # noqa: ARG002  its signature
        return [Document(f"{query}: sunny")]


class State(TypedDict):
    city: str


@as_tool
def look_up(city: str) -> str:
    """Look the weather up, by a call of the program's own."""
    with span(f"look up {city}"):
        return f"Sunny in {city}"


@as_tool
async def look_up_async(city: str) -> str:
    """Look the weather up, by a call of the program's own."""
    with span(f"look up {city}"):
        await asyncio.sleep(0)
        return f"Sunny in {city}"


def tools_with_spans(made):
    return _told(_agent(made, look_up).invoke(asked(BOTH)))


async def tools_with_spans_async(made):
    return _told(await _agent(made, look_up_async).ainvoke(asked(BOTH)))


def agent_in_tool(made):
    inner = create_agent(made.model, [get_weather])

    @as_tool
    def ask(city: str) -> str:
        """Ask another agent."""
        return inner.invoke(asked(city))["messages"][-1].content

    return _told(_agent(made, ask).invoke(asked(QUESTION)))


def chain(made):
    return _chain(made, str.upper, _shouted).invoke(QUESTION)


def _shouted(text):
    with span("shout"):
        return f"{text}!"


def chain_stream(made):
    """What the program does between chunks is not the chain's."""
    texts = []
    for text in _chain(made).stream(QUESTION):
        texts.append(text)
        if len(texts) < 3:
            with span("between"):
                pass
    return texts


async def chain_stream_async(made):
    texts = []
    async for text in _chain(made).astream(QUESTION):
        texts.append(text)
        if len(texts) < 3:
            with span("between"):
                pass
    return texts


def streams_taken_in_turns(made):
    streams = [_chain(made).stream(QUESTION) for _ in range(2)]
    return list(zip(*streams, strict=True))


def stream_left(made):
    for text in _chain(made).stream(QUESTION):
        if text:
            return text
    return None


def parallel(made):
    both = RunnableParallel(one=made.model | StrOutputParser(), two=made.model | StrOutputParser())
    return both.with_config(getattr(made, "config", None)).invoke(QUESTION)


def retrieved(made):
    chain = Weather() | (lambda documents: documents[0].page_content) | made.model
    return chain.with_config(getattr(made, "config", None)).invoke("Paris").content


def graph(made):
    def ask(state):
        with span("think"):
            return {"city": made.model.invoke(state["city"]).content}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    run = graph.compile().with_config(getattr(made, "config", None))
    return list(run.stream({"city": QUESTION}))


async def runs_at_once(made):
    agent = _agent(made, look_up_async)
    runs = (agent.ainvoke(asked(QUESTION), {"run_name": f"run {n}"}) for n in range(4))
    return [_told(one) for one in await asyncio.gather(*runs)]


def _tree(top, *lines):
    return "\n".join([top, *(f"  {line}" for line in lines)])


def steps(call, acall):
    """The trees of what is done here, where calls of the model have these names."""
    chat, achat = f"{call} CHAT_MODEL", f"{acall} CHAT_MODEL"
    asks, aasks = ("model CHAIN", f"  {chat}"), ("model CHAIN", f"  {achat}")
    tools = ("tools CHAIN", "  get_weather TOOL")
    looks = [("tools CHAIN", "  {} TOOL", f"    look up {city} UNKNOWN") for city in CITIES]
    agent, between = "LangGraph AGENT", "between UNKNOWN"
    parsed = _tree("RunnableSequence CHAIN", chat, "StrOutputParser CHAIN")
    aparsed = _tree("RunnableSequence CHAIN", achat, "StrOutputParser CHAIN")
    seen = [line.format("look_up") for look in looks for line in look]
    aseen = [line.format("look_up_async") for look in looks for line in look]
    return {
        itself: [_tree(agent, *asks)],
        tool: [_tree(agent, *asks, *tools, *asks)],
        tool_async: [_tree(agent, *aasks, *tools, *aasks)],
        two_tools_at_once: [_tree(agent, *asks, *tools, *tools, *asks)],
        agent_stream: [_tree(agent, *asks, *tools, *asks)],
        agent_stream_async: [_tree(agent, *aasks, *tools, *aasks)],
        error: [_tree(f"{agent} ERROR", "model CHAIN ERROR", f"  {chat} ERROR")],
        tools_with_spans: [_tree(agent, *asks, *seen, *asks)],
        tools_with_spans_async: [_tree(agent, *aasks, *aseen, *aasks)],
        chain: [
            _tree(
                "RunnableSequence CHAIN",
                *(chat, "StrOutputParser CHAIN", "upper CHAIN", "_shouted CHAIN"),
                "  shout UNKNOWN",
            )
        ],
        agent_in_tool: [
            _tree(
                agent,
                *(*asks, "tools CHAIN", "  ask TOOL", f"    {agent}"),
                *(f"      {line}" for line in (*asks, *tools, *asks)),
                *asks,
            )
        ],
        chain_stream: [parsed, *[between] * 2],
        chain_stream_async: [aparsed, *[between] * 2],
        streams_taken_in_turns: [parsed, parsed],
        stream_left: [parsed],
        parallel: [
            _tree(
                "RunnableParallel<one,two> CHAIN",
                *("RunnableSequence CHAIN", f"  {chat}", "  StrOutputParser CHAIN") * 2,
            )
        ],
        retrieved: [
            _tree("RunnableSequence CHAIN", "Weather RETRIEVER", "RunnableLambda CHAIN", chat)
        ],
        graph: [_tree("LangGraph CHAIN", "ask CHAIN", "  think UNKNOWN", f"    {chat}")],
        runs_at_once: [
            _tree(f"run {number} AGENT", *aasks, *aseen[:3], *aasks) for number in range(4)
        ],
    }
