"""What is taken out of inputs and outputs and uploaded, as MLflow's own client does it."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from ollamatrace.destinations.mlflow.images import Images, may_hold_images
from ollamatrace.records import Content
from tests.destinations.mlflow.golden_records import PIXEL

TRACE = "0af7651916cd43dd8448eb211c80319c"


def images():
    return Images(lambda: None)


@pytest.mark.parametrize(
    ("value", "way", "content_type"),
    [
        ({"url": f"data:image/png;base64,{PIXEL}"}, ("url",), "image/png"),
        (
            {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "mp3"}},
            ("input_audio", "data"),
            "audio/mpeg",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": PIXEL}},
            ("input_audio", "data"),
            "audio/wav",
        ),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/gif", "data": PIXEL},
            },
            ("source", "data"),
            "image/gif",
        ),
        ({"b64_json": PIXEL}, ("b64_json",), "image/png"),
        ({"audio": {"data": PIXEL, "transcript": "t"}}, ("audio", "data"), "audio/wav"),
        (
            {"inline_data": {"mime_type": "image/webp", "data": PIXEL}},
            ("inline_data", "data"),
            "image/webp",
        ),
        (
            {"type": "image_generation_call", "output_format": "jpeg", "result": PIXEL},
            ("result",),
            "image/jpeg",
        ),
    ],
)
def test_places(value, way, content_type):
    before = json.dumps(value)
    collected = images()
    new = collected.replaced([{"x": value}], TRACE)[0]["x"]
    assert json.dumps(value) == before
    [attachment] = collected.attachments
    assert attachment.data == base64.b64decode(PIXEL)
    assert (attachment.content_type, attachment.trace_id) == (content_type, f"tr-{TRACE}")
    reference = new
    for key in way:
        reference = reference[key]
    parts = urlsplit(reference)
    assert (parts.scheme, parts.hostname) == ("mlflow-attachment", attachment.id)
    assert parse_qs(parts.query) == {
        "content_type": [content_type],
        "trace_id": [f"tr-{TRACE}"],
        "size": ["70"],
    }
    assert may_hold_images(Content(json=before.replace(": ", ":").encode()))


@pytest.mark.parametrize(
    "value",
    [
        "data:image/png;base64,no base64",
        "data:image/png;base64,größe",
        "data:;base64,AAAA",
        "data:text/plain,hello",
        "see data:image/png;base64,AAAA",
        {"audio": None, "b64_json": None},
        {"audio": {"data": "mlflow-attachment://x"}},
        {"type": "image", "source": {"type": "url", "url": "http://x"}},
        {"type": "input_audio", "input_audio": "x"},
        [1, None, True, 0.5],
    ],
)
def test_everything_else_stays(value):
    collected = images()
    assert collected.replaced(value, TRACE) == value
    assert collected.attachments == []


def test_the_same_content_has_the_same_id_in_a_trace():
    first, again, other = images(), images(), images()
    url = f"data:image/png;base64,{PIXEL}"
    assert first.replaced([url, url], TRACE) == [again.replaced(url, TRACE)] * 2
    assert len(first.attachments) == 1
    other.replaced(url, "1" * 32)
    assert other.attachments[0].id != first.attachments[0].id


def test_large_content_is_decoded_in_pieces():
    pauses = []
    data = bytes(range(256)) * 1000
    collected = Images(lambda: pauses.append(1))
    collected.replaced("data:image/png;base64," + base64.b64encode(data).decode(), TRACE)
    assert collected.attachments[0].data == data
    assert len(pauses) > 5


def test_plain_content_is_not_searched():
    assert not may_hold_images(Content(json=b'{"messages":[{"role":"user","content":"Hi"}]}'))
    assert may_hold_images(Content({"a": 1}))
