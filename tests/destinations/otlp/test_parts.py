"""Messages of both clients as OpenTelemetry's conventions have them."""

from __future__ import annotations

import pytest

from ollamatrace.destinations.otlp.parts import item_message, media_part, message_of

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
URL = f"data:image/png;base64,{PNG}"
TEXT = {"type": "text", "content": "hi"}
IMAGE = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PNG}
CALL = {"type": "tool_call", "id": None, "name": "f", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "hi"}, [TEXT]),
        ({"content": ""}, []),
        ({"content": None}, []),
        ({"content": ["hi"]}, [TEXT]),
        ({"content": [{"type": "text", "text": "hi"}]}, [TEXT]),
        ({"content": [{"type": "input_text", "text": "hi"}]}, [TEXT]),
        ({"content": {"type": "text", "text": "hi"}}, [TEXT]),
        ({"content": 5}, [{"type": "text", "content": "5"}]),
        ({"content": None, "refusal": "no"}, [{"type": "refusal", "content": "no"}]),
        ({"content": [{"type": "refusal", "refusal": "n"}]}, [{"type": "refusal", "content": "n"}]),
        ({"content": [{"type": "new", "x": 1}]}, [{"type": "new", "x": 1}]),
        ({"content": [{"x": 1}]}, [{"type": "unknown", "x": 1}]),
        ({"content": "hi", "images": [PNG]}, [TEXT, IMAGE]),
        (
            {"content": "hi", "images": ["cat.png"]},
            [TEXT, {"type": "uri", "modality": "image", "uri": "cat.png"}],
        ),
        (
            {
                "content": [
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
                ]
            },
            [IMAGE],
        ),
        (
            {"content": [{"type": "input_image", "image_url": "https://x/a.png"}]},
            [{"type": "uri", "modality": "image", "uri": "https://x/a.png"}],
        ),
        (
            {
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
                ]
            },
            [{"type": "blob", "modality": "audio", "mime_type": "audio/mpeg", "content": "AAAA"}],
        ),
        (
            {"content": None, "audio": {"data": "AAAA", "transcript": "hi"}},
            [
                TEXT,
                {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "AAAA"},
            ],
        ),
        (
            {"content": [{"type": "file", "file": {"file_id": "f-1"}}]},
            [{"type": "file", "modality": "document", "file_id": "f-1"}],
        ),
        (
            {"content": [{"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}]},
            [
                {
                    "type": "blob",
                    "modality": "document",
                    "mime_type": "application/pdf",
                    "content": "AAAA",
                }
            ],
        ),
        ({"content": "hi", "thinking": "hm"}, [{"type": "reasoning", "content": "hm"}, TEXT]),
        ({"reasoning_content": "hm"}, [{"type": "reasoning", "content": "hm"}]),
        ({"reasoning": "hm"}, [{"type": "reasoning", "content": "hm"}]),
        ({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, [CALL]),
        (
            {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}]},
            [{**CALL, "id": "c"}],
        ),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": '{"a'}}]},
            [{**CALL, "arguments": '{"a'}],
        ),
        (
            {"tool_calls": [{"custom": {"name": "f", "input": "x y"}}]},
            [{**CALL, "arguments": "x y"}],
        ),
        ({"function_call": {"name": "f", "arguments": '{"a":1}'}}, [CALL]),
        (
            {"role": "tool", "tool_call_id": "c", "content": "5"},
            [{"type": "tool_call_response", "id": "c", "response": "5"}],
        ),
        (
            {"role": "tool", "tool_name": "f", "content": "5"},
            [{"type": "tool_call_response", "id": None, "response": "5"}],
        ),
        ("hi", [TEXT]),
    ],
)
def test_parts(message, parts):
    assert message_of(message)["parts"] == parts


def test_who_speaks():
    assert message_of({"role": "system", "content": "hi"})["role"] == "system"
    assert message_of("hi")["role"] == "user"
    assert message_of({"content": "hi"}, "assistant")["role"] == "assistant"
    assert message_of({"role": "user", "name": "ada", "content": "hi"})["name"] == "ada"
    assert message_of({"role": "tool", "tool_name": "f", "content": "5"})["name"] == "f"


@pytest.mark.parametrize(
    ("item", "role", "parts"),
    [
        ("hi", "user", [TEXT]),
        ({"role": "user", "content": "hi"}, "user", [TEXT]),
        (
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "hi"}],
            },
            "assistant",
            [TEXT],
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'},
            "assistant",
            [{**CALL, "id": "c"}],
        ),
        (
            {"type": "function_call_output", "call_id": "c", "output": "5"},
            "tool",
            [{"type": "tool_call_response", "id": "c", "response": "5"}],
        ),
        (
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "content": None,
            },
            "assistant",
            [{"type": "reasoning", "content": "hm"}],
        ),
        (
            {"type": "web_search_call", "id": "w"},
            "assistant",
            [{"type": "web_search_call", "id": "w"}],
        ),
    ],
)
def test_items_of_responses(item, role, parts):
    assert item_message(item) == {"role": role, "parts": parts}


def test_a_picture_that_is_no_text():
    assert media_part("image", 5) == {"type": "uri", "modality": "image", "uri": "5"}
