"""The info of a trace, against the one that autolog left for the same call."""

from __future__ import annotations

import re

import pytest

from ollamatrace.destinations.mlflow.images import Images
from ollamatrace.destinations.mlflow.info import trace_info, updated_info
from ollamatrace.destinations.mlflow.previews import head, preview
from ollamatrace.records import TraceUpdate, Usage
from tests.destinations.mlflow.golden_records import CALLS, a_record, golden, record_of

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SOURCE = {"mlflow.user": "root", "mlflow.source.name": "app.py", "mlflow.source.type": "LOCAL"}
# The server's, and what it makes of the spans.
OF_SERVER = ("mlflow.trace.", "mlflow.source.git")


def all_texts(info):
    return all(
        isinstance(v, str) for part in ("tags", "trace_metadata") for v in info[part].values()
    )


@pytest.mark.parametrize("name", [*CALLS, "manual_parent", "manual_parent_exception"])
def test_a_trace_has_the_info_that_autolog_gives_it(name):
    expected = golden(name)["traces"][0]["info"]
    info = trace_info(record_of(name), "1", SOURCE, Images(lambda: None))
    metadata = {
        key: UUID.sub("", value).replace(', "extra_headers": {"x-a": "b"}', "")
        for key, value in expected["trace_metadata"].items()
        if not key.startswith(OF_SERVER)
    }
    assert {k: UUID.sub("", v) for k, v in info["trace_metadata"].items()} == metadata
    for key in ("trace_id", "trace_location", "request_time", "state"):
        assert info[key] == expected[key]
    assert info.get("request_preview") == expected.get("request_preview")
    assert info.get("response_preview") == expected.get("response_preview")
    assert info["tags"] == {"mlflow.traceName": expected["tags"]["mlflow.traceName"]}
    assert re.fullmatch(r"\d+\.\d{3}s", info["execution_duration"])


def test_times():
    info = trace_info(
        a_record(start_ns=1_795_336_450_045_999_999, end_ns=1_795_336_452_048_000_000), "1", {}
    )
    assert info["request_time"] == "2026-11-22T08:34:10.045Z"
    assert info["execution_duration"] == "2.002s"
    assert trace_info(a_record(start_ns=5, end_ns=1), "1", {})["execution_duration"] == "0.000s"


def test_nothing_is_said_that_later_spans_change():
    info = trace_info(a_record(usage=Usage(1, 2, 3)), "1", {})
    assert not [key for key in info["trace_metadata"] if "token" in key or "size" in key]


def test_session_user_tags_and_metadata():
    record = a_record(
        session="s" * 300,
        user="u" * 300,
        tags={"a": "b" * 5000, "n": 1, "k" * 251: "x", "": "x", "mlflow.trace.spansLocation": "x"},
        metadata={
            "a": "b" * 300,
            "n": {"x": 1},
            "mlflow.trace.cost": "1",
            "mlflow.trace_schema.version": "9",
        },
    )
    info = trace_info(record, 7, SOURCE)
    metadata = info["trace_metadata"]
    assert metadata["mlflow.trace.session"] == "s" * 250
    assert metadata["mlflow.trace.user"] == "u" * 250
    assert (metadata["a"], metadata["n"]) == ("b" * 250, '{"x": 1}')
    assert "mlflow.trace.cost" not in metadata
    assert metadata["mlflow.trace_schema.version"] == "3"
    assert info["tags"] == {"a": "b" * 4096, "n": "1", "mlflow.traceName": "Completions"}
    assert info["trace_location"]["mlflow_experiment"]["experiment_id"] == "7"
    assert all_texts(info)


NAMED = {
    "client_request_id": ("r" * 60, "r" * 47 + "..."),
    "request_preview": ("q" * 1001, "q" * 997 + "..."),
    "response_preview": ("a\0b", "a\ufffdb"),
}


def test_metadata_that_has_a_field_goes_there():
    given = {name: value for name, (value, _) in NAMED.items()}
    made = trace_info(a_record(metadata=given), "1", {})
    changed = updated_info(STORED, TraceUpdate(trace_id="1", metadata=given))
    for info in (made, changed):
        assert {name: info[name] for name in NAMED} == {n: kept for n, (_, kept) in NAMED.items()}
        assert not NAMED.keys() & info["trace_metadata"].keys()


def test_a_cancelled_trace_is_an_error():
    assert trace_info(a_record(status="CANCELLED"), "1", {})["state"] == "ERROR"


STORED = {
    "trace_id": "tr-1",
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}},
    "request_time": "2026-11-22T08:34:10.045Z",
    "execution_duration": "2.002s",
    "state": "ERROR",
    "request_preview": "Hi",
    "response_preview": "Yo",
    "client_request_id": "r",
    "trace_metadata": {
        "a": "1",
        "mlflow.trace.tokenUsage": "{}",
        "mlflow.trace.cost": "{}",
        "mlflow.trace.sizeStats": "{}",
        "mlflow.trace.infoFinalized": "true",
        "mlflow.trace.session": "old",
    },
    "tags": {"t": "1", "mlflow.traceName": "old", "mlflow.trace.spansLocation": "TRACKING_STORE"},
    "assessments": [{"assessment_id": "a-1"}],
}


def test_an_update_changes_what_it_says_and_nothing_else():
    update = TraceUpdate(
        trace_id="1", session="s" * 300, user="u", tags={"n": 1}, metadata={"b": 2}, name="new"
    )
    info = updated_info(STORED, update)
    assert info == {
        **{key: STORED[key] for key in list(STORED)[:8]},
        "trace_metadata": {
            "a": "1",
            "b": "2",
            "mlflow.trace.session": "s" * 250,
            "mlflow.trace.user": "u",
        },
        "tags": {"t": "1", "mlflow.traceName": "new", "n": "1"},
    }
    assert all_texts(info)


def test_an_empty_update_changes_nothing():
    info = updated_info(STORED, TraceUpdate(trace_id="1"))
    assert info["trace_metadata"] == {"a": "1", "mlflow.trace.session": "old"}
    assert info["tags"] == {"t": "1", "mlflow.traceName": "old"}


USER = {"role": "user", "content": "Q"}
BOT = {"role": "assistant", "content": "A"}
HUMAN = {"type": "human", "content": "Q", "additional_kwargs": {}}
AI = {"type": "ai", "content": "A", "additional_kwargs": {}}


@pytest.mark.parametrize(
    ("value", "role", "shown"),
    [
        ({"messages": [USER, BOT]}, "user", "Q"),
        ({"messages": [BOT]}, "user", "A"),
        ({"messages": [{"role": "user"}]}, "user", '{"messages": [{"role": "user"}]}'),
        ({"choices": [{"message": BOT}]}, "assistant", "A"),
        ({"choices": [{"text": "x"}]}, "assistant", '{"choices": [{"text": "x"}]}'),
        ({"input": [USER]}, "user", "Q"),
        (
            {"output": [{"role": "assistant", "content": [{"type": "output_text", "text": "A"}]}]},
            "assistant",
            "A",
        ),
        ({"request": {"input": [USER]}}, "user", "Q"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "user", "x"),
        (
            {"messages": [{**BOT, "content": ""}]},
            "user",
            '{"messages": [{"role": "assistant", "content": ""}]}',
        ),
        ("text", "user", '"text"'),
        # LangChain's
        ({"messages": [["user", "Q"], ["ai", "A"]]}, "user", "Q"),
        ({"messages": [["user", "Q"], ["ai", "A"]]}, "assistant", "A"),
        ({"messages": [HUMAN, AI, {"type": "tool", "content": "T"}]}, "assistant", "A"),
        ({"messages": [AI, HUMAN]}, "user", "Q"),
        (AI, "assistant", "A"),
        (BOT, "assistant", '{"role": "assistant", "content": "A"}'),
        (["user", "Q"], "user", '["user", "Q"]'),
        ({"input": [["Paris", "London"]]}, "user", '{"input": [["Paris", "London"]]}'),
        ({"output": [{"type": "reasoning", "content": "R"}, BOT]}, "assistant", "A"),
        ({"messages": [{"role": "user", "content": "x" * 1001}]}, "user", "x" * 997 + "..."),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "user", "a\ufffdb"),
    ],
)
def test_previews(value, role, shown):
    assert preview(value, role) == shown


@pytest.mark.parametrize(
    "value",
    ["x" * 300, {"k" * 300: 1}, [0] * 300, {str(i): [i] for i in range(300)}, [["é\n" * 200]]],
)
def test_the_head_is_the_head_of_the_whole_text(value):
    import json

    text = json.dumps(value, ensure_ascii=False)
    assert head(value, 250) == text[:247] + "..."
    assert head("x" * 248, 250) == '"' + "x" * 248 + '"'


def test_a_long_name_is_cut():
    assert trace_info(a_record(name="n" * 5000), "1", {})["tags"]["mlflow.traceName"] == "n" * 4096
    renamed = updated_info(STORED, TraceUpdate(trace_id="1", name="n" * 5000))
    assert renamed["tags"]["mlflow.traceName"] == "n" * 4096
