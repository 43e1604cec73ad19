"""LangChain's callbacks, one by one; whole agents are in ``pytest -m frameworks``."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import uuid

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from langchain_core.tools import tool

from ollamatrace import current_span, span
from ollamatrace.context import span_var
from ollamatrace.frameworks.langchain import TraceCallbackHandler
from tests.frameworks.reading import trees


class GraphBubbleUp(Exception):  # noqa: N818  its name
    """As LangGraph has it: a graph stops to ask."""


class Model(GenericFakeChatModel):
    """Says one thing, with a span in the place of a call of a client."""

    def _stream(self, *given, **more):
        with span("call"):
            pass
        yield from super()._stream(*given, **more)


class Weather(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):  # noqa: ARG002  its signature
        raise ValueError(query)


@pytest.fixture
def handler(tracer):
    return TraceCallbackHandler(tracer)


@pytest.fixture
def config(handler):
    return {"callbacks": [handler]}


def fail(_):
    raise ValueError("no weather")


def by_name(records):
    return {record.name: record for record in records}


def test_inputs_and_outputs_are_those_of_the_step(tracer, config):
    @tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"Sunny in {city}"

    chain = RunnableLambda(lambda city: {"city": city}, name="ask") | weather
    assert chain.invoke("Paris", config) == "Sunny in Paris"
    found = by_name(tracer.finished())
    assert (found["ask"].inputs, found["ask"].outputs) == ("Paris", {"city": "Paris"})
    assert (found["weather"].kind, found["weather"].inputs) == ("TOOL", {"city": "Paris"})
    assert found["weather"].outputs == found["RunnableSequence"].outputs == "Sunny in Paris"


def test_failures_are_those_of_the_step_and_reach_the_program(tracer, config):
    with pytest.raises(ValueError, match="no weather"):
        (RunnableLambda(lambda city: city, name="ask") | RunnableLambda(fail)).invoke("x", config)
    with pytest.raises(ValueError, match="Rome"):
        Weather().invoke("Rome", config)
    found = by_name(tracer.finished())
    assert found["ask"].status == "OK"
    assert found["fail"].status_message == found["RunnableSequence"].status_message
    assert "no weather" in found["fail"].status_message
    assert (found["Weather"].kind, found["Weather"].status) == ("RETRIEVER", "ERROR")
    assert found["Weather"].inputs == {"query": "Rome"}


def test_a_graph_that_stops_to_ask_has_not_failed(tracer, config):
    def stop(_):
        raise GraphBubbleUp

    with pytest.raises(GraphBubbleUp):
        RunnableLambda(stop).invoke("x", config)
    [record] = tracer.finished()
    assert record.status == "OK"


def test_hidden_steps_have_no_span_and_what_is_below_them_has(tracer, config):
    def hidden(text):
        with span("mine"):
            return text

    inner = RunnableLambda(hidden).with_config(tags=["langsmith:hidden"])
    assert RunnableLambda(inner.invoke, name="outer").invoke("x", config) == "x"
    assert trees(tracer.finished()) == ["outer CHAIN\n  mine UNKNOWN"]


def test_a_span_of_the_program_is_between_the_steps_around_it(tracer, config):
    def think(text):
        with span("mine"):
            return RunnableLambda(str.upper, name="inner").invoke(text)

    with span("outside"):
        RunnableLambda(think).invoke("x", config)
    expected = "outside UNKNOWN\n  think CHAIN\n    mine UNKNOWN\n      inner CHAIN"
    assert trees(tracer.finished()) == [expected]


async def test_runs_at_once_do_not_mix(tracer, config):
    async def work(number):
        await asyncio.sleep(0)
        with span(f"work {number}"):
            await asyncio.sleep(0)

    one = RunnableLambda(work, name="work")
    runs = [one.ainvoke(number, {**config, "run_name": f"run {number}"}) for number in range(20)]
    await asyncio.gather(*runs)
    expected = [f"run {number} CHAIN\n  work {number} UNKNOWN" for number in range(20)]
    assert trees(tracer.finished()) == sorted(expected)


def numbers(_):
    yield from range(3)


async def anumbers(_):
    for number in range(3):
        yield number


def test_a_stream_is_not_current_in_the_program_that_reads_it(tracer, config):
    for _ in RunnableGenerator(numbers, name="numbers").stream("x", config):
        assert current_span() is None
    assert trees(tracer.finished()) == ["numbers CHAIN"]


def test_the_call_of_a_model_in_a_stream_is_below_the_step_around_it(tracer, config):
    chain = Model(messages=iter(["It is sunny"])) | StrOutputParser()
    for _ in chain.stream("x", config):
        assert current_span() is None
    assert trees(tracer.finished()) == [
        "RunnableSequence CHAIN\n  call UNKNOWN\n  StrOutputParser CHAIN"
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_the_inputs_of_a_stream_are_known_when_it_ends(fails, tracer, config):
    chain = RunnableGenerator(numbers) | (fail if fails else str)
    with contextlib.suppress(ValueError):
        list(chain.stream("Paris", config))
    assert by_name(tracer.finished())["RunnableSequence"].inputs == "Paris"


async def test_nor_is_an_asynchronous_one(tracer, config):
    async for _ in RunnableGenerator(anumbers, name="numbers").astream("x", config):
        assert current_span() is None
    assert trees(tracer.finished()) == ["numbers CHAIN"]


def test_a_stream_that_is_dropped_ends(tracer, config):
    stream = RunnableGenerator(numbers, name="numbers").stream("x", config)
    assert next(stream) == 0
    del stream
    gc.collect()
    [record] = tracer.finished()
    assert record.status == "OK"
    assert not tracer.pipeline.open


def test_a_graph_whose_stream_is_left_is_abandoned(tracer, handler):
    run = uuid.uuid4()
    handler.on_chain_start({}, "x", run_id=run, name="graph")
    handler.on_chain_error(GeneratorExit(), run_id=run)
    [record] = tracer.finished()
    assert (record.status, record.end_reason) == ("OK", "abandoned")
    assert current_span() is None


def test_nothing_is_kept_of_a_run_that_is_over(handler, config):
    chain = Model(messages=iter(["It is sunny"])) | StrOutputParser() | RunnableLambda(str.upper)
    assert chain.invoke("x", config) == "IT IS SUNNY"
    assert span_var.get() is None
    assert not any(vars(handler._steps)[name] for name in ("_spans", "_own", "_around"))


def test_ends_of_what_never_began_change_nothing(tracer, handler):
    for end in (handler.on_chain_end, handler.on_tool_end, handler.on_llm_end):
        end("x", run_id=uuid.uuid4())
    handler.on_chain_error(ValueError("x"), run_id=uuid.uuid4())
    assert tracer.finished() == []


def test_a_tracer_that_is_off_records_nothing_and_leaves_nothing_current(tracer, config):
    tracer.disable()

    def look(_):
        return current_span()

    assert RunnableLambda(look).invoke("x", config) is None
    assert tracer.finished() == []


def test_failures_of_ours_do_not_reach_the_program(monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")

    class Broken:
        def span(self, *_given):
            raise RuntimeError("ours")

    config = {"callbacks": [TraceCallbackHandler(Broken())]}
    assert RunnableLambda(str.upper).invoke("x", config) == "X"
    told = [(record.name, record.exc_info[0]) for record in caplog.records]
    assert told[0] == ("ollamatrace", RuntimeError)
    assert {name for name, _ in told} == {"ollamatrace"}


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [("langchain", "langchain_core", "langchain"), ("agents", "agents", "agents")],
)
def test_without_the_framework_the_extra_is_named(module, missing, extra):
    code = f"import sys; sys.modules[{missing!r}] = None; import ollamatrace.frameworks.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"pip install 'ollamatrace[{extra}]'" in done.stderr
