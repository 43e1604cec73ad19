"""What a span says on an MLflow server, against what autolog says of the same call."""

from __future__ import annotations

import re

import pytest

from ollamatrace.destinations.mlflow.attributes import attributes, status_message
from ollamatrace.destinations.mlflow.images import Images
from ollamatrace.destinations.mlflow.improvements import improvements
from ollamatrace.records import Timing, Usage
from tests.destinations.mlflow.golden_records import CALLS, a_record, decoded, record_of, span_of

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_meant(name, reasons):
    return any(name == key or (key[-1] == "*" and name.startswith(key[:-1])) for key in reasons)


def no_pause():
    pass


def without_uuids(value):
    if isinstance(value, str):
        return UUID.sub("<uuid>", value)
    if isinstance(value, dict):
        return {key: without_uuids(item) for key, item in value.items()}
    return [without_uuids(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CALLS)
def test_a_call_has_what_autolog_gives_it(name):
    expected, record = decoded(span_of(name)), record_of(name)
    expected.get("mlflow.spanInputs", {}).pop("extra_headers", None)
    made = attributes(record, Images(no_pause))
    reasons = improvements(record.kind, failed=record.status != "OK")
    expected = {key: value for key, value in expected.items() if not is_meant(key, reasons)}
    made = {key: value for key, value in made.items() if not is_meant(key, reasons)}
    expected.pop("mlflow.llm.cost", None)  # the server's
    assert without_uuids(made) == without_uuids(expected)
    for key in ("mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.tools"):
        assert list(made.get(key, ())) == list(expected.get(key, ()))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_manual_span_has_what_mlflow_gives_it(index):
    expected, record = decoded(span_of("manual_parent", index)), record_of("manual_parent", index)
    names = ("k", "score", "flag", "lst", "none", "mlflow.spanFunctionName")
    if record.provider is None:
        record.attributes = {key: expected[key] for key in names if key in expected}
    made = attributes(record)
    reasons = improvements(record.kind, failed=False)
    assert {k: v for k, v in made.items() if not is_meant(k, reasons)} == expected


def test_a_traced_function_has_mlflows_name_of_it():
    given = {"code.function.name": "shop.Cart.agent", "mlflow.spanFunctionName": "mine"}
    made = attributes(a_record(provider=None, attributes={"code.function.name": "shop.agent"}))
    expected = decoded(span_of("manual_parent"))["mlflow.spanFunctionName"]
    assert made["mlflow.spanFunctionName"] == expected == "agent"
    made = attributes(a_record(provider=None, attributes=given))
    assert made["mlflow.spanFunctionName"] == "agent"
    assert made["ollamatrace.attribute.mlflow.spanFunctionName"] == "mine"


def test_a_manual_span_that_failed():
    record = record_of("manual_parent_exception")
    assert attributes(record)["mlflow.spanLogLevel"] == 40
    assert status_message(record) == "ValueError: bad 3"
    assert "mlflow.message.format" not in attributes(record)


def test_the_status_of_a_failed_call_says_nothing_and_is_kept():
    record = record_of("chat_error_404")
    assert status_message(record) == ""
    assert attributes(record)["ollamatrace.status_message"] == record.status_message


def test_a_cancelled_call():
    record = a_record(status="CANCELLED", end_reason="cancelled", status_message="CancelledError")
    made = attributes(record)
    assert status_message(record) == "cancelled"
    assert made["ollamatrace.status"] == "CANCELLED"
    assert made["ollamatrace.end_reason"] == "cancelled"
    assert made["ollamatrace.status_message"] == "CancelledError"
    assert made["mlflow.spanLogLevel"] == 40


def test_what_was_received_before_an_error_is_kept():
    record = a_record(status="ERROR", end_reason="error", outputs={"choices": []})
    assert attributes(record)["mlflow.spanOutputs"] == {"choices": []}


def test_facts_have_their_standard_names():
    record = a_record(
        attributes={"finish_reason": "length", "model_asked": "gpt-4"}, model="gpt-4o"
    )
    made = attributes(record)
    assert made["gen_ai.response.finish_reasons"] == ["length"]
    assert made["gen_ai.request.model"] == "gpt-4"
    assert made["gen_ai.provider.name"] == "openai"
    assert made["mlflow.llm.model"] == "gpt-4o"
    assert not {"finish_reason", "model_asked"} & made.keys()


def test_a_manual_span_keeps_attributes_of_those_names():
    made = attributes(a_record(provider=None, attributes={"finish_reason": "tired"}))
    assert made["finish_reason"] == "tired"
    assert "gen_ai.response.finish_reasons" not in made


def test_an_own_attribute_never_replaces_one_of_mlflows():
    record = a_record(
        inputs={"temperature": 1}, attributes={"temperature": 2, "mlflow.spanType": 3}
    )
    made = attributes(record)
    assert (made["temperature"], made["ollamatrace.attribute.temperature"]) == (1, 2)
    assert made["mlflow.spanType"] == "CHAT_MODEL"
    assert made["ollamatrace.attribute.mlflow.spanType"] == 3


def test_nothing_translates_into_tokens():
    """The server makes token counts of these where `mlflow.chat.tokenUsage` is absent."""
    made = attributes(a_record(usage=Usage(1, 2, 3, 0, 1)))
    assert not {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"} & made.keys()


@pytest.mark.parametrize(
    ("usage", "shown", "kept"),
    [
        (Usage(26, 9, 35), {"input_tokens": 26, "output_tokens": 9, "total_tokens": 35}, None),
        (
            Usage(5, 2, 7, cached_tokens=4),
            {
                "input_tokens": 5,
                "output_tokens": 2,
                "total_tokens": 7,
                "cache_read_input_tokens": 4,
            },
            None,
        ),
        (Usage(5), {"input_tokens": 5, "total_tokens": 5}, {"input_tokens": 5}),
        (
            Usage(5, 2, 7, reasoning_tokens=1),
            {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
            {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "reasoning_tokens": 1},
        ),
    ],
)
def test_tokens(usage, shown, kept):
    for kind in ("CHAT_MODEL", "LLM", "EMBEDDING"):
        made = attributes(a_record(kind=kind, usage=usage))
        assert made["mlflow.chat.tokenUsage"] == shown
        assert made.get("ollamatrace.usage") == kept
        assert made.get("gen_ai.usage.reasoning.output_tokens") == usage.reasoning_tokens


def test_timing_warnings_and_links():
    link = {"trace_id": "a" * 32, "span_id": "b" * 16}
    made = attributes(a_record(timing=Timing(first_token_ns=7), warnings=["cut"], links=[link]))
    assert made["ollamatrace.timing"] == {"first_token_ns": 7}
    assert made["ollamatrace.warnings"] == ["cut"]
    assert made["ollamatrace.links"] == [link]
    plain = attributes(a_record())
    assert not {f"ollamatrace.{name}" for name in ("timing", "warnings", "links")} & plain.keys()


def test_session_and_user_are_on_every_span():
    made = attributes(a_record(parent_id="1" * 16, session="s", user="u"))
    assert (made["session.id"], made["user.id"]) == ("s", "u")
    assert not {"ollamatrace.session", "ollamatrace.user"} & made.keys()


def test_a_long_session_is_cut_and_kept():
    made = attributes(a_record(session="s" * 300, user="u" * 300))
    assert (made["session.id"], made["user.id"]) == ("s" * 250, "u" * 250)
    assert made["ollamatrace.session"] == "s" * 300
    assert made["ollamatrace.user"] == "u" * 300


def test_tags_ride_on_the_root():
    tags = {
        "env": "dev",
        "long": "x" * 9000,
        "mlflow.traceName": "of the root, not of a tag",
        "k" * 251: "no",
        "mlflow.trace.spansLocation": "nowhere",
        "mlflow.trace.archiveLocation": "x",
        "mlflow.trace.archivalFailure": "x",
        "mlflow.artifactLocation": "x",
    }
    made = attributes(a_record(tags=tags, metadata={"a": "b"}))
    on_trace = {key: value for key, value in made.items() if key.startswith("mlflow.traceTag.")}
    assert on_trace == {
        "mlflow.traceTag.mlflow.traceName": "Completions",
        "mlflow.traceTag.env": "dev",
        "mlflow.traceTag.long": "x" * 8000,
    }
    assert made["ollamatrace.tags"] == tags
    assert made["ollamatrace.metadata"] == {"a": "b"}
    below = attributes(a_record(tags=tags, parent_id="1" * 16))
    assert not [key for key in below if key.startswith("mlflow.traceTag.")]


@pytest.mark.parametrize(
    ("tool", "shown"),
    [
        (
            {"type": "function", "function": {"strict": True, "name": "f", "x": 1}},
            [{"type": "function", "function": {"name": "f", "strict": True}}],
        ),
        (  # of the responses endpoint
            {"type": "function", "name": "f", "description": "d"},
            [{"type": "function", "function": {"name": "f", "description": "d"}}],
        ),
        ({"type": "mcp", "x": 1}, [{"type": "function", "function": {"name": "mcp"}}]),
        ({"type": "unheard_of"}, None),
        ("a name", None),
    ],
)
def test_tools(tool, shown):
    made = attributes(a_record(inputs={"tools": [tool]}))
    assert made.get("mlflow.chat.tools") == shown
    assert made["tools"] == [tool]


def test_a_tools_parameters_are_in_mlflows_order_without_what_it_drops():
    city = {
        "title": "City",
        "description": "d",
        "type": "array",
        "items": {"title": "x", "type": "string"},
    }
    parameters = {
        "type": "object",
        "title": "P",
        "required": ["city"],
        "properties": {"city": city},
    }
    tool = {"type": "function", "function": {"parameters": parameters, "name": "f"}}
    [shown] = attributes(a_record(inputs={"tools": [tool]}))["mlflow.chat.tools"]
    assert list(shown["function"]) == ["name", "parameters"]
    assert list(shown["function"]["parameters"]) == ["properties", "type", "required"]
    assert shown["function"]["parameters"]["properties"] == {
        "city": {"type": "array", "description": "d", "items": {"type": "string"}}
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session.id", "s" * 251),
        ("gen_ai.conversation.id", "s" * 251),
        ("gen_ai.operation.name", {}),
        ("openinference.span.kind", ["LLM"]),
        ("traceloop.span.kind", {}),
        ("mlflow.chat.tokenUsage", {"input_tokens": "many"}),
        ("mlflow.llm.cost", "nothing"),
        ("mlflow.traceTag.mlflow.trace.spansLocation", "nowhere"),
        ("mlflow.traceTag.mlflow.traceName", "n" * 4097),
    ],
)
def test_an_own_attribute_that_the_server_would_refuse_is_put_aside(name, value):
    made = attributes(a_record(provider=None, parent_id="1" * 16, attributes={name: value}))
    assert name not in made
    assert made[f"ollamatrace.attribute.{name}"] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "m"),
        ("mlflow.llm.cost", {"total_cost": 0.5}),
        ("mlflow.chat.tools", []),
        ("mlflow.traceTag.env", "dev"),
        ("mlflow.traceTag.mlflow.traceName", "n"),
    ],
)
def test_an_own_attribute_that_means_something_to_the_server_goes_there(name, value):
    made = attributes(a_record(provider=None, parent_id="1" * 16, attributes={name: value}))
    assert made[name] == value


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.provider.name",
        "gen_ai.system",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "ollamatrace.anything",
        "ollamatrace.attribute.a",
        "ollamatrace.status",
    ],
)
def test_an_own_attribute_with_the_name_of_a_field_is_put_aside(name):
    record = a_record(provider=None, inputs=None, outputs=None, attributes={name: "x"})
    made = attributes(record)
    assert name not in made
    assert made[f"ollamatrace.attribute.{name}"] == "x"


def test_an_own_attribute_of_a_call_with_the_name_of_a_field_is_put_aside():
    own = {"gen_ai.request.model": "x", "messages": "x", "ollama.done": "x"}
    inputs, outputs = {"messages": []}, {"message": {"content": "hi"}}
    made = attributes(a_record(provider="ollama", inputs=inputs, outputs=outputs, attributes=own))
    assert not own.keys() & made.keys()
    assert {name: made[f"ollamatrace.attribute.{name}"] for name in own} == own


def test_a_long_name_is_cut_for_the_trace():
    assert attributes(a_record(name="n" * 5000))["mlflow.traceTag.mlflow.traceName"] == "n" * 4096


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gen_ai.conversation.id", "s"),
        ("mlflow.chat.tokenUsage", {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}),
        ("mlflow.llm.model", "m"),
        ("mlflow.llm.provider", "p"),
        ("session.id", "s"),
        ("user.id", "u"),
    ],
)
def test_what_a_program_says_to_the_server_reaches_it(name, value):
    record = a_record(provider=None, inputs=None, outputs=None, attributes={name: value})
    made = attributes(record)
    assert made[name] == value
    assert made["ollamatrace.own"] == [name]
