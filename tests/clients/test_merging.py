"""What comes in pieces is put together into what the whole answer would be."""

from __future__ import annotations

import pytest

from ollamatrace.clients.answers import ChatAnswer, ResponsesAnswer
from ollamatrace.clients.answers.grow import grown


def message(*deltas, **choice):
    """The choice that a stream with these deltas is merged to, and its message."""
    merger = ChatAnswer().merger()
    for delta in deltas:
        merger.add({"id": "c", "choices": [{"index": 0, "delta": delta, **choice}]})
    [merged] = merger.result()["choices"]
    return merged, {key: value for key, value in merged["message"].items() if value is not None}


def test_legacy_function_call():
    call = {"function_call": {"name": "f", "arguments": '{"a"'}}
    _, merged = message(call, {"function_call": {"name": None, "arguments": ":1}"}})
    assert merged["function_call"] == {"name": "f", "arguments": '{"a":1}'}


def test_audio():
    _, merged = message(
        {"audio": {"id": "a", "transcript": "hel"}},
        {"audio": {"data": "QUFB", "transcript": "lo"}},
        {"audio": {"data": "QkJC", "expires_at": 5}},
    )
    expected = {"id": "a", "transcript": "hello", "data": "QUFBQkJC", "expires_at": 5}
    assert merged["audio"] == expected


def test_lists_grow():
    one, two = {"type": "url_citation", "n": 1}, {"type": "url_citation", "n": 2}
    _, merged = message({"annotations": [one]}, {"annotations": [two]})
    assert [found["n"] for found in merged["annotations"]] == [1, 2]


def test_parts_beside_text():
    thinking = {"content": [{"type": "thinking", "thinking": "hm"}]}
    _, merged = message(thinking, {"content": "Hel"}, {"content": "lo"})
    assert merged["content"] == [*thinking["content"], {"type": "text", "text": "Hello"}]


def tool(arguments, **fields):
    function = {"arguments": arguments, **({"name": fields.pop("name")} if fields else {})}
    return {"tool_calls": [{"index": 0, "function": function, **fields}]}


def test_two_tool_calls_under_one_index():
    _, merged = message(
        tool('{"a"', id="1", name="f"), tool(":1}"), tool("{}", id="2", name="g"), tool(" ")
    )
    found = [(call["id"], call["function"]["arguments"]) for call in merged["tool_calls"]]
    assert found == [("1", '{"a":1}'), ("2", "{} ")]


def test_an_id_that_changes_without_a_name_begins_nothing():
    again = {"tool_calls": [{"index": 0, "id": "other", "function": {"arguments": ":1}"}}]}
    _, merged = message(tool('{"a"', id="1", name="f"), again)
    [call] = merged["tool_calls"]
    assert (call["id"], call["function"]["arguments"]) == ("1", '{"a":1}')


def test_an_index_of_any_kind():
    odd = {"tool_calls": [{"index": [0], "id": "1", "function": {"name": "f"}}]}
    _, merged = message(odd)
    assert merged["tool_calls"][0]["id"] == "1"


def test_what_else_a_choice_says():
    merged, _ = message({"content": "x"}, stop_reason=7)
    assert merged["stop_reason"] == 7


@pytest.mark.parametrize(
    ("so_far", "piece", "name", "expected"),
    [
        ("a", "b", "text", "ab"),
        ("a", "b", "id", "b"),
        (None, "b", "text", "b"),
        ("a", None, "text", "a"),
        ({"text": "a", "n": 1}, {"text": "b"}, "", {"text": "ab", "n": 1}),
        ([1], [2], "", [1, 2]),
        ([1], {"a": 2}, "", {"a": 2}),
    ],
)
def test_grown(so_far, piece, name, expected):
    assert grown(so_far, piece, name) == expected


def test_grown_leaves_the_pieces_as_they_are():
    first, second = {"texts": [{"text": "a"}], "text": "a"}, {"texts": [{"text": "b"}], "text": "b"}
    grown(grown(None, first), second)
    assert first == {"texts": [{"text": "a"}], "text": "a"}
    assert second == {"texts": [{"text": "b"}], "text": "b"}


def response(*events):
    merger = ResponsesAnswer().merger()
    merger.add({"type": "response.created", "response": {"id": "r", "status": "in_progress"}})
    for event in events:
        merger.add(event)
    return merger.result(), merger.complete


def delta(kind, text, **fields):
    return {"type": f"response.{kind}.delta", "output_index": 0, "delta": text, **fields}


@pytest.mark.parametrize(
    ("kind", "item_type", "field"),
    [
        ("function_call_arguments", "function_call", "arguments"),
        ("mcp_call_arguments", "mcp_call", "arguments"),
        ("custom_tool_call_input", "custom_tool_call", "input"),
        ("code_interpreter_call_code", "code_interpreter_call", "code"),
    ],
)
def test_an_item_that_is_cut_short(kind, item_type, field):
    merged, complete = response(delta(kind, "ab"), delta(kind, "c"))
    assert merged["output"] == [{"type": item_type, field: "abc"}]
    assert not complete


@pytest.mark.parametrize(
    ("kind", "item_type", "name", "part"),
    [
        ("output_text", "message", "content", {"type": "output_text", "text": "abc"}),
        ("refusal", "message", "content", {"type": "refusal", "refusal": "abc"}),
        ("reasoning_text", "reasoning", "content", {"type": "reasoning_text", "text": "abc"}),
        ("reasoning_summary_text", "reasoning", "summary", {"type": "summary_text", "text": "abc"}),
    ],
)
def test_a_part_that_is_cut_short(kind, item_type, name, part):
    merged, _ = response(delta(kind, "ab"), delta(kind, "c"))
    assert merged["output"] == [{"type": item_type, name: [part]}]


def test_an_error_event_is_the_answer():
    merged, complete = response({"type": "error", "code": "server_error", "message": "boom"})
    assert merged["error"] == {"code": "server_error", "message": "boom"}
    assert not complete


def test_a_final_response_without_its_items_gets_them():
    item = {"type": "message", "id": "i", "content": [{"type": "output_text", "text": "Hi"}]}
    final = {"id": "r", "status": "completed", "output": []}
    merged, complete = response(
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": final},
    )
    assert merged == {**final, "output": [item]}
    assert complete
