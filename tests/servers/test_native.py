"""Calls of Ollama's own client, played back from a real Ollama, as MLflow's client reads them."""

from __future__ import annotations

import contextlib
import json

import ollama
import pytest

from ollamatrace import TracedClient, Tracer
from tests.exchanges import arguments, path_of
from tests.servers.stored import attributes, is_finalized, previews, state, tokens

CALLS = {
    "chat": ("Chat", "CHAT_MODEL"),
    "chat_stream": ("Chat", "CHAT_MODEL"),
    "chat_tools": ("Chat", "CHAT_MODEL"),
    "chat_tool_result_turn": ("Chat", "CHAT_MODEL"),
    "chat_think": ("Chat", "CHAT_MODEL"),
    "chat_think_stream": ("Chat", "CHAT_MODEL"),
    "generate": ("Generate", "LLM"),
    "embed": ("Embed", "EMBEDDING"),
    "err_unknown_model": ("Chat", "CHAT_MODEL"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_trace_of_a_native_call(name, mlflow_server, experiment, replay):
    server, capture = replay(f"ollama-native/{name}")
    with Tracer(mlflow_server.url, experiment=experiment) as tracer:
        answers = call(TracedClient(ollama.Client(host=server.url), tracer=tracer), capture)
        report = tracer.flush(timeout=20)
        assert report.delivered == report.accepted == len(answers), report
    traces = mlflow_server.traces(
        experiment, len(answers), until=lambda seen: all(map(is_finalized, seen))
    )
    for trace, (given, answer) in zip(traces, answers, strict=True):
        check(trace, *CALLS[name], given, answer)


def call(client, capture):
    """Make the recorded calls; gives the arguments and the answer, merged, of each."""
    made = []
    for exchange in capture["exchanges"]:
        given = arguments(exchange)
        answer = None
        with contextlib.suppress(ollama.ResponseError):
            answer = getattr(client, path_of(exchange).rpartition("/")[2])(**given)
            answer = merged(list(answer)) if given.get("stream") else answer.model_dump()
        made.append((given, answer))
    client._client.close()
    return made


def merged(chunks):
    whole = chunks[-1].model_dump()
    for key in ("content", "thinking"):
        pieces = [getattr(chunk.message, key) or "" for chunk in chunks]
        whole["message"][key] = "".join(pieces) or None
    return whole


def check(trace, name, kind, given, answer):
    [span] = trace["data"]["spans"]
    known = attributes(span)
    assert (span["name"], known["mlflow.spanType"]) == (name, kind)
    assert state(trace) == ("OK" if answer else "ERROR")
    assert known["gen_ai.provider.name"] == "ollama"
    assert known["mlflow.llm.model"] == (answer or given)["model"]
    if answer is None:
        [event] = [event for event in span["events"] if event["name"] == "exception"]
        assert event["attributes"]["exception.type"] == "ResponseError"
        assert previews(trace)[1] is None
        return
    expected = {
        "input_tokens": answer["prompt_eval_count"],
        "output_tokens": answer.get("eval_count"),
    }
    expected = {name: count for name, count in expected.items() if count is not None}
    assert tokens(trace).items() >= expected.items()
    assert tokens(trace)["total_tokens"] == sum(expected.values())
    assert known["ollama.total_duration"] == answer["total_duration"]
    if kind == "EMBEDDING":
        assert known["mlflow.spanInputs"]["input"] == given["input"]
        assert known["mlflow.spanOutputs"]["embeddings"] == answer["embeddings"]
    elif kind == "CHAT_MODEL":
        check_chat(trace, known, given, answer["message"])
    else:
        assert previews(trace) == (given["prompt"], answer["response"])


def check_chat(trace, known, given, message):
    """MLflow's page shows a conversation that has OpenAI's shape."""
    asked = known["mlflow.spanInputs"]["messages"]
    assert [one["role"] for one in asked] == [one["role"] for one in given["messages"]]
    [choice] = known["mlflow.spanOutputs"]["choices"]
    shown = choice["message"]
    assert shown["role"] == "assistant"
    assert (shown["content"] or "") == (message["content"] or "")
    if message.get("thinking"):
        assert message["thinking"] in shown.values()
    calls = shown.get("tool_calls") or []
    functions = [one["function"] for one in message.get("tool_calls") or ()]
    assert [one["function"]["name"] for one in calls] == [one["name"] for one in functions]
    for one, function in zip(calls, functions, strict=True):
        assert json.loads(one["function"]["arguments"]) == function["arguments"]
    questions = [one["content"] for one in given["messages"] if one["role"] == "user"]
    if not calls:
        assert previews(trace) == (questions[-1], message["content"])
