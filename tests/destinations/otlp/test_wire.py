"""What is written without messages is what messages read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ollamatrace.destinations.otlp.outgoing import Happening, Outgoing
from ollamatrace.destinations.otlp.protobuf_encoding import ProtobufEncoding
from ollamatrace.destinations.otlp.wire import varint
from tests.destinations.mlflow.samples import no_pause

IDS = {"trace_id": "a" * 32, "span_id": "b" * 16}
BLANK = Outgoing(**IDS, parent_id=None, name="", kind=1, start_ns=0, end_ns=0, attributes={},
                 events=[], links=[], status=1, message="")  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INTEGER = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False)
VALUE = (
    TEXT | st.booleans() | INTEGER | FLOAT
    | st.lists(TEXT, min_size=1) | st.lists(INTEGER, min_size=1) | st.lists(FLOAT, min_size=1)
)  # fmt: skip
ATTRIBUTES = st.dictionaries(TEXT, VALUE, max_size=4)
TIMES = st.integers(0, 2**63 - 1)


def sent(*spans, resource=None):
    body = ProtobufEncoding().body(resource or {}, spans, no_pause)
    [group] = ExportTraceServiceRequest.FromString(body).resource_spans
    return group


def plain(pairs):
    return {pair.key: read(pair.value) for pair in pairs}


def read(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [read(item) for item in value.array_value.values]
    return getattr(value, kind)


@settings(max_examples=100, deadline=None)
@given(attributes=ATTRIBUTES, told=ATTRIBUTES, name=TEXT, message=TEXT, start=TIMES, end=TIMES)
def test_any_span_is_read_as_it_was(attributes, told, name, message, start, end):
    given = BLANK._replace(
        attributes=attributes, name=name, message=message, status=2, kind=3, start_ns=start,
        end_ns=end, events=[Happening(name, end, told)], links=[IDS], parent_id="c" * 16,
    )  # fmt: skip
    [scope] = sent(given, BLANK).scope_spans
    span, blank = scope.spans
    assert (span.trace_id.hex(), span.span_id.hex()) == ("a" * 32, "b" * 16)
    assert span.parent_span_id.hex() == "c" * 16
    assert (span.name, span.kind, span.flags) == (name, 3, 1)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (start, end)
    assert (span.status.code, span.status.message) == (2, message)
    assert plain(span.attributes) == attributes
    [event] = span.events
    assert (event.name, event.time_unix_nano, plain(event.attributes)) == (name, end, told)
    [link] = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("a" * 32, "b" * 16)
    assert (blank.parent_span_id, blank.name, len(blank.events)) == (b"", "", 0)


@pytest.mark.parametrize("size", [0, 1, 119, 120, 127, 128, 16383, 16384, 3_000_000])
def test_texts_of_any_length(size):
    group = sent(BLANK._replace(attributes={"a": "x" * size}), resource={"r": "y" * size})
    [scope] = group.scope_spans
    assert plain(scope.spans[0].attributes) == {"a": "x" * size}
    assert plain(group.resource.attributes) == {"r": "y" * size}


def test_values_that_are_equal_stay_what_they_are():
    spans = [BLANK._replace(attributes={"a": value}) for value in (1, True, 1.0, 0.0, -0.0)]
    [scope] = sent(*spans).scope_spans
    read_back = [repr(plain(span.attributes)["a"]) for span in scope.spans]
    assert read_back == ["1", "True", "1.0", "0.0", "-0.0"]


def test_a_clock_before_1970_is_at_its_beginning():
    [scope] = sent(BLANK._replace(start_ns=-5, end_ns=-1)).scope_spans
    assert (scope.spans[0].start_time_unix_nano, scope.spans[0].end_time_unix_nano) == (0, 0)


@pytest.mark.parametrize(
    ("number", "made"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16383, "ff7f"),
        (16384, "808001"),
        (-1, "ff" * 9 + "01"),
    ],
)
def test_numbers_have_seven_bits_a_byte(number, made):
    assert varint(number).hex() == made
