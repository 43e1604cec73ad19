"""Traces whose parts come late, from elsewhere, or never, as MLflow's own client reads them."""

from __future__ import annotations

import json

import openai
import pytest

from ollamatrace import Delivery, TracedClient, Tracer, session, tracer_of, update_trace
from ollamatrace.cli.replay import ReplayServer
from tests.servers import golden, programs
from tests.servers.stored import (
    TOKENS,
    attributes,
    duration_ns,
    is_finalized,
    metadata,
    previews,
    spans,
    state,
    tokens,
    tree,
)

MESSAGES = golden.messages()
PREVIEWS = ('"a question"', '"an answer"')  # a text as JSON, as MLflow's own client has it
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
def ask(tracer, bare):
    client = TracedClient(bare, tracer=tracer)

    def ask(**options):
        return client.chat.completions.create(model="llama3.2:1b", messages=MESSAGES, **options)

    return ask


@pytest.fixture
def bare(model_server):
    with openai.OpenAI(
        base_url=model_server.url + "/v1", api_key="x", max_retries=0, timeout=20
    ) as client:
        yield client


def delivered(tracer):
    report = tracer.flush(timeout=20)
    assert report.delivered == report.accepted > 0, report


def test_a_client_that_names_its_server(mlflow_server, experiment, bare):
    client = TracedClient(bare, server=mlflow_server.url, experiment=experiment)
    client.chat.completions.create(model="llama3.2:1b", messages=MESSAGES)
    delivered(tracer_of(client))
    trace = mlflow_server.trace(experiment, until=is_finalized)
    assert (state(trace), tokens(trace)) == ("OK", TOKENS)
    assert previews(trace) == ("Hi there", "Hello! How can I help you?")


def test_a_whole_trace(mlflow_server, experiment, tracer, ask):
    with tracer.span("agent", kind="AGENT") as agent:
        agent.inputs = {"question": "Hi there?"}
        with tracer.span("plan", kind="CHAIN") as plan:
            plan.set("depth", 1)
            plan.event("noted", {"what": "it"})
        ask()
        agent.outputs = "done"
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=is_finalized)
    assert state(trace) == "OK"
    assert tree(trace) == [("Completions", "agent"), ("agent", None), ("plan", "agent")]
    assert tokens(trace) == TOKENS
    assert previews(trace) == ('{"question": "Hi there?"}', '"done"')
    assert trace["info"]["tags"]["mlflow.traceName"] == "agent"
    assert metadata(trace)["mlflow.source.type"] == "LOCAL"
    assert metadata(trace)["mlflow.user"]
    found = spans(trace)
    assert attributes(found["agent"])["mlflow.spanType"] == "AGENT"
    assert attributes(found["plan"])["depth"] == 1
    [event] = found["plan"]["events"]
    assert (event["name"], event["attributes"]) == ("noted", {"what": "it"})
    root = found["agent"]
    took_ns = root["end_time_unix_nano"] - root["start_time_unix_nano"]
    assert abs(duration_ns(trace) - took_ns) <= 2_000_000
    assert all(
        root["start_time_unix_nano"] <= span["start_time_unix_nano"]
        and span["end_time_unix_nano"] <= root["end_time_unix_nano"]
        for span in trace["data"]["spans"]
    )


def test_an_error_in_a_span_of_ones_own(mlflow_server, experiment, tracer):
    with pytest.raises(ValueError, match="bad 3"), tracer.span("boom"):
        raise ValueError("bad 3")
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=is_finalized)
    [boom] = trace["data"]["spans"]
    [wanted] = golden.load("manual_parent_exception")["traces"]
    [autologs] = wanted["data"]["spans"]
    assert state(trace) == "ERROR"
    assert boom["status"] == autologs["status"]
    [event], [theirs] = boom["events"], autologs["events"]
    assert event["name"] == theirs["name"]
    assert event["attributes"].keys() == theirs["attributes"].keys()
    for name in ("exception.message", "exception.type"):
        assert event["attributes"][name] == theirs["attributes"][name]
    assert event["attributes"]["exception.stacktrace"].endswith("ValueError: bad 3")


def test_a_call_that_ends_after_its_root_counts(mlflow_server, experiment, tracer, ask):
    with tracer.span("root") as root:
        root.inputs, root.outputs = "a question", "an answer"
        stream = ask(**STREAMED)
        next(stream)
    delivered(tracer)
    early = mlflow_server.trace(experiment, until=is_finalized)
    assert (state(early), tokens(early)) == ("OK", None)
    assert list(stream)
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=lambda trace: len(trace["data"]["spans"]) == 2)
    assert state(trace) == "OK"
    assert tree(trace) == [("Completions", "root"), ("root", None)]
    assert tokens(trace) == TOKENS
    assert previews(trace) == PREVIEWS
    assert trace["info"]["execution_duration_ms"] >= early["info"]["execution_duration_ms"]


def test_a_call_that_ends_with_its_root_in_one_batch(mlflow_server, experiment, tracer, ask):
    with tracer.span("root"):
        stream = ask(**STREAMED)
        next(stream)
    assert list(stream)
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=is_finalized)
    assert tree(trace) == [("Completions", "root"), ("root", None)]
    assert (state(trace), tokens(trace)) == ("OK", TOKENS)


def test_a_root_that_ends_long_after_its_children(mlflow_server, experiment, tracer, ask):
    with tracer.span("root") as root:
        root.inputs = "a question"
        ask()
        delivered(tracer)
        early = mlflow_server.trace(experiment)
        assert state(early) == "IN_PROGRESS"
        assert tree(early) == [("Completions", "?")]
        assert tokens(early) == TOKENS
        ask()
        root.outputs = "an answer"
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=is_finalized)
    assert state(trace) == "OK"
    assert [parent for _, parent in tree(trace)] == ["root", "root", None]
    assert tokens(trace) == {name: 2 * count for name, count in TOKENS.items()}
    assert previews(trace) == PREVIEWS
    [root] = [span for span in trace["data"]["spans"] if span["name"] == "root"]
    took_ns = root["end_time_unix_nano"] - root["start_time_unix_nano"]
    assert abs(duration_ns(trace) - took_ns) <= 2_000_000


def test_a_call_of_a_forked_process_is_in_its_parents_trace(
    mlflow_server, experiment, model_server
):
    code = """
if __name__ == "__main__":
    with span("root") as root:
        root.inputs = "a question"
        child = multiprocessing.get_context("fork").Process(target=ask)
        child.start()
        child.join()
        assert child.exitcode == 0
        root.outputs = "an answer"
"""
    programs.run(code, mlflow_server, experiment, model_server)
    trace = mlflow_server.trace(
        experiment, until=lambda trace: is_finalized(trace) and len(trace["data"]["spans"]) == 2
    )
    assert tree(trace) == [("Completions", "root"), ("root", None)]
    assert (state(trace), tokens(trace)) == ("OK", TOKENS)
    assert previews(trace) == PREVIEWS


def test_a_root_that_never_ends(mlflow_server, experiment, model_server):
    code = """
with span("root"):
    ask()
    report = tracer.flush(timeout=20)
    assert report.delivered == 1, report
    ready()
"""
    with programs.started(code, mlflow_server, experiment, model_server) as process:
        programs.wait_until_ready(process)
        process.kill()
        process.wait()
    trace = mlflow_server.trace(experiment)
    assert state(trace) == "IN_PROGRESS"
    assert tree(trace) == [("Completions", "?")]
    assert tokens(trace) == TOKENS


def test_a_program_that_just_ends(mlflow_server, experiment, model_server):
    programs.run("with span('root'):\n    ask()", mlflow_server, experiment, model_server)
    trace = mlflow_server.trace(experiment)
    assert is_finalized(trace)
    assert tree(trace) == [("Completions", "root"), ("root", None)]
    assert (state(trace), tokens(trace)) == ("OK", TOKENS)
    assert metadata(trace)["mlflow.source.name"]


def test_a_conversation(mlflow_server, experiment, tracer, ask):
    with session("chat-7"):
        ask()
        with tracer.span("turn"):
            ask()
    ask()
    delivered(tracer)
    traces = mlflow_server.traces(experiment, 3, until=lambda seen: all(map(is_finalized, seen)))
    sessions = [metadata(trace).get("mlflow.trace.session") for trace in traces]
    assert sessions == ["chat-7", "chat-7", None]
    where = "metadata.`mlflow.trace.session` = 'chat-7'"
    found = mlflow_server.ask("search", experiment, filter_string=where)
    assert found == [trace["info"]["trace_id"] for trace in traces[:2]]


def test_spans_alone_tell_nearly_everything(mlflow_server, experiment, bare):
    """In the mode for throughput."""
    delivery = Delivery(mode="throughput")
    with Tracer(mlflow_server.url, experiment=experiment, delivery=delivery) as tracer:
        client = TracedClient(bare, tracer=tracer)
        with session("chat-7"), tracer.span("root") as root:
            root.inputs, root.outputs = "a question", "an answer"
            client.chat.completions.create(model="llama3.2:1b", messages=MESSAGES)
        delivered(tracer)
    trace = mlflow_server.trace(experiment, until=lambda trace: len(trace["data"]["spans"]) == 2)
    assert not is_finalized(trace)
    assert tree(trace) == [("Completions", "root"), ("root", None)]
    assert (state(trace), tokens(trace)) == ("OK", TOKENS)
    assert previews(trace) == PREVIEWS
    assert metadata(trace)["mlflow.trace.session"] == "chat-7"
    assert trace["info"]["tags"]["mlflow.traceName"] == "root"
    found = mlflow_server.ask("search", experiment, filter_string="name = 'root'")
    assert found == [trace["info"]["trace_id"]]


@pytest.mark.parametrize(
    ("name", "model"),
    [("completions", "gpt-3.5-turbo-instruct"), ("embeddings", "text-embedding-3-small")],
)
def test_the_server_knows_what_a_call_cost(name, model, mlflow_server, experiment, tracer):
    """Where autolog counts no tokens."""
    asked = "llama3.2:1b" if name == "completions" else "nomic-embed-text"
    exchange = json.loads(json.dumps(golden.exchange_of(golden.load(name))).replace(asked, model))
    with (
        ReplayServer([exchange], pace=0) as server,
        openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=0) as bare,
    ):
        client = TracedClient(bare, tracer=tracer)
        body = json.loads(exchange["request"]["body"]["text"])
        body.pop("encoding_format", None)
        getattr(client, name).create(**body)
    delivered(tracer)
    trace = mlflow_server.trace(experiment, until=is_finalized)
    [span] = trace["data"]["spans"]
    assert attributes(span)["mlflow.llm.cost"]["total_cost"] > 0
    assert json.loads(metadata(trace)["mlflow.trace.cost"])["total_cost"] > 0
    assert tokens(trace)["total_tokens"] == 8


def test_many_traces_at_once(mlflow_server, experiment, tracer):
    for number in range(100):
        with tracer.span(f"root {number}"), tracer.span("child"):
            pass
    delivered(tracer)
    found = mlflow_server.ask("search", experiment)
    assert len(found) == len(set(found)) == 100
    [newest] = mlflow_server.ask("search", experiment, filter_string="name = 'root 99'")
    assert tree(mlflow_server.ask("trace", newest)) == [("child", "root 99"), ("root 99", None)]


HOSTILE = {
    "nul": "a\0b",
    "half a pair": "\ud83d",
    "control": "\x1b[31m\x7f",
    "far": "\U0010ffff 😀 é",
    "json": '{"a": 1}',
    "long": "x" * 70_000,
    "number": 2**70,
    "nan": float("nan"),
    "": "empty key",
}


@pytest.mark.parametrize("place", ["inputs", "outputs", "attributes", "event", "name", "tags"])
def test_hostile_values_hold_up_nothing(mlflow_server, experiment, tracer, place):
    texts = [str(value) for value in HOSTILE.values()]
    for value in texts:
        with tracer.span(value if place == "name" else "a span") as span:
            if place == "inputs":
                span.inputs = {**HOSTILE, "first": value}
            elif place == "outputs":
                span.outputs = value
            elif place == "attributes":
                for key, one in HOSTILE.items():
                    span.set(key or value, one)
            elif place == "event":
                span.event(value, {**HOSTILE, value: value})
            elif place == "tags":
                update_trace(tags={value: value}, session=value, user=value, metadata={value: "x"})
    delivered(tracer)
    mlflow_server.traces(experiment, count=len(texts))
