"""The hook of the Agents SDK, step by step; whole agents are in ``pytest -m frameworks``."""

from __future__ import annotations

import contextlib
import threading

import agents
import pytest
from agents.tracing import SpanData, get_trace_provider
from openai.types.responses import Response

from ollamatrace import current_span, span
from ollamatrace.frameworks.agents import TraceProcessor
from tests.frameworks.reading import trees


@pytest.fixture(autouse=True)
def processor(tracer):
    processor = TraceProcessor(tracer)
    agents.set_trace_processors([processor])
    yield processor
    agents.set_trace_processors([])


def by_name(records):
    return {record.name: record for record in records}


def test_each_sort_of_step_has_a_span(tracer):
    with agents.trace("run"), agents.agent_span("Ada", tools=["weather"], output_type="str"):
        with agents.function_span("weather", input="Paris", output="Sunny"):
            pass
        with agents.handoff_span(from_agent="Ada", to_agent="Bob"):
            pass
        with agents.guardrail_span("allowed", triggered=True):
            pass
        with agents.mcp_tools_span(server="files", result=["read"]):
            pass
        with agents.custom_span("mine", {"a": 1}):
            pass
    records = tracer.finished()
    [tree] = trees(records)
    assert tree.split("\n    ") == [
        "run CHAIN\n  Ada AGENT",
        "weather TOOL",
        "handoff to Bob CHAIN",
        "allowed CHAIN",
        "mcp_tools TOOL",
        "mine CHAIN",
    ]
    found = by_name(records)
    assert found["Ada"].inputs == {"handoffs": None, "tools": ["weather"]}
    assert found["Ada"].attributes == {"output_type": "str"}
    assert (found["weather"].inputs, found["weather"].outputs) == ("Paris", "Sunny")
    assert found["handoff to Bob"].outputs == {"to_agent": "Bob"}
    assert found["allowed"].outputs == {"triggered": True}
    assert found["mcp_tools"].outputs == ["read"]
    assert found["mine"].inputs == {"a": 1}


def test_a_step_that_cannot_be_described_ends(monkeypatch, tracer):
    monkeypatch.delenv("OLLAMATRACE_STRICT")

    class Newer(SpanData):
        type = "agent"

        def export(self):
            return {}

    with agents.trace("run"), get_trace_provider().create_span(Newer()):
        pass
    assert trees(tracer.finished()) == ["run CHAIN\n  agent AGENT"]
    assert current_span() is None


def test_calls_of_models_are_left_to_the_client(tracer):
    with agents.trace("run"), agents.agent_span("Ada"), agents.generation_span(), span("call"):
        pass
    assert trees(tracer.finished()) == ["run CHAIN\n  Ada AGENT\n    call UNKNOWN"]


QUESTION = {"role": "user", "content": "Sunny?"}
TOOL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
YES = {"role": "assistant", "content": "Yes."}


@contextlib.contextmanager
def inner_agent():
    with (
        agents.function_span("inner"),
        agents.agent_span("Bob"),
        agents.generation_span(input=[YES], output=[TOOL]),
    ):
        yield


def test_a_run_has_what_its_agent_was_asked_first_and_answered_last(tracer):
    with agents.trace("run"), agents.agent_span("Ada"):
        with agents.generation_span(input=[QUESTION], output=[TOOL]):
            pass
        with agents.function_span("weather", input='{"city": "Paris"}', output="Sunny"):
            pass
        with inner_agent():
            pass
        with agents.generation_span(input=[QUESTION, TOOL], output=[YES]):
            pass
        with inner_agent():
            pass
    found = by_name(tracer.finished())
    assert found["run"].inputs == {"messages": [QUESTION]}
    assert found["run"].outputs == {"messages": [YES]}
    assert found["weather"].inputs == {"city": "Paris"}


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_run_over_the_newer_api_has_it_too(is_streamed, tracer):
    part = {"type": "output_text", "text": "Yes."}
    answer = Response.construct(output=[{"type": "message", "content": [part]}])
    with agents.trace("run"), agents.agent_span("Ada"):
        if is_streamed:  # chat completions, which the SDK gives this form then
            with agents.generation_span(input=[QUESTION], output=[answer.model_dump()]):
                pass
        else:
            with agents.response_span(answer) as step:
                step.span_data.input = "Sunny?"
    run = by_name(tracer.finished())["run"]
    assert run.inputs == ({"messages": [QUESTION]} if is_streamed else {"input": "Sunny?"})
    [item] = run.outputs.pop("output")
    assert (item["content"][0]["text"], run.outputs) == ("Yes.", {})


def test_a_run_without_sensitive_data_has_none(tracer):
    with agents.trace("run"), agents.agent_span("Ada"), agents.generation_span():
        pass
    with agents.trace("run"), agents.agent_span("Ada"), agents.response_span():
        pass
    runs = [record for record in tracer.finished() if record.name == "run"]
    assert [(run.inputs, run.outputs) for run in runs] == [(None, None)] * 2


def test_a_run_below_a_span_of_the_program_is_part_of_its_trace(tracer):
    with (
        span("outside"),
        agents.trace("run"),
        agents.function_span("tool"),
        span("mine"),
        agents.agent_span("inner"),
    ):
        pass
    assert trees(tracer.finished()) == [
        "outside UNKNOWN\n  run CHAIN\n    tool TOOL\n      mine UNKNOWN\n        inner AGENT"
    ]


def test_a_step_in_another_thread_is_below_the_one_that_it_names(tracer):
    with agents.trace("run"), agents.agent_span("Ada") as above:

        def work():
            with agents.function_span("tool", parent=above), span("mine"):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert trees(tracer.finished()) == ["run CHAIN\n  Ada AGENT\n    tool TOOL\n      mine UNKNOWN"]


def test_group_and_metadata_are_those_of_the_trace(tracer):
    with agents.trace("run", group_id="chat-7", metadata={"user": "ada"}):
        pass
    [record] = tracer.finished()
    assert (record.session, record.metadata) == ("chat-7", {"user": "ada"})


def test_a_run_fails_as_its_last_agent(tracer):
    with agents.trace("failing"):
        for name, error in (("first", None), ("last", {"message": "no", "data": {"error": "x"}})):
            with agents.agent_span(name) as agent:
                agent.set_error(error) if error else None
    with agents.trace("recovered"):
        with agents.agent_span("one") as agent:
            agent.set_error({"message": "no", "data": None})
        with agents.agent_span("two"):
            pass
    found = by_name(tracer.finished())
    assert {name: record.status for name, record in found.items()} == {
        "first": "OK",
        "last": "ERROR",
        "failing": "ERROR",
        "one": "ERROR",
        "two": "OK",
        "recovered": "OK",
    }
    assert found["failing"].status_message == found["last"].status_message
    assert "no: x" in found["last"].status_message


def test_a_tracer_that_is_off_records_nothing_and_leaves_nothing_current(tracer):
    tracer.disable()
    with agents.trace("run"), agents.agent_span("Ada"):
        assert current_span() is None
    assert tracer.finished() == []


def test_shutdown_ends_what_is_open(tracer, processor):
    with agents.trace("run"):
        processor.force_flush()
        processor.shutdown()
        assert current_span() is None
    [record] = tracer.finished()
    assert (record.name, record.end_reason) == ("run", "abandoned")


def test_failures_of_ours_do_not_reach_the_program(monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")

    class Broken:
        def span(self, *_given):
            raise RuntimeError("ours")

    agents.set_trace_processors([TraceProcessor(Broken())])
    with agents.trace("run"), agents.agent_span("Ada"):
        pass
    assert {(record.name, record.exc_info[0]) for record in caplog.records} == {
        ("ollamatrace", RuntimeError)
    }
