"""The rules of W3C Trace Context: what is taken, and that nothing else does any harm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ollamatrace import extract, inject, span
from ollamatrace.testing import MemoryTracer

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(scope="module")
def shared():
    """One tracer for all examples of a property."""
    with MemoryTracer() as tracer:
        yield tracer


def continued(headers):
    """What goes on from there: trace id and what is sent on; ``None`` if nothing was taken."""
    with extract(headers):
        sent = inject()
    return sent or None


@pytest.mark.parametrize(
    "value",
    [
        VALID,
        f" {VALID}\t",
        f"cc-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01-what-the-future-holds",
        f"01-{TRACE}-{SPAN}-01-",
    ],
)
def test_valid(value):
    assert continued({"traceparent": value}) == {"traceparent": VALID}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-011",
        f"0-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"0A-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"01-{TRACE}-{SPAN}-01more",
        f"01-{TRACE}-{SPAN}-01-a\r\nb",
        f"{VALID}\n",
        f"{VALID},{VALID}",
    ],
)
def test_not_valid(value):
    assert continued({"traceparent": value, "tracestate": "a=1"}) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"TraceParent": VALID, "TRACESTATE": "a=1"},
        [(b"host", b"x"), (b"traceparent", VALID.encode()), (b"tracestate", b"a=1")],
        (pair for pair in [("traceparent", VALID), ("tracestate", "a=1")]),
        {b"traceparent": VALID.encode(), b"tracestate": b"a=1"},
    ],
)
def test_forms_of_headers(headers):
    assert continued(headers) == {"traceparent": VALID, "tracestate": "a=1"}


def test_two_parents_do_not_say_which():
    assert continued([("traceparent", VALID), ("Traceparent", VALID)]) is None


@pytest.mark.parametrize(
    ("states", "sent"),
    [
        (["rojo=00f067aa0ba902b7", "congo=t61"], "rojo=00f067aa0ba902b7,congo=t61"),
        (["a=1 , ,\tb=2"], "a=1,b=2"),
        (["fw529a3039@dt=FfAAAA", "0a@b=x y"], "fw529a3039@dt=FfAAAA,0a@b=x y"),
        ([",".join(f"k{n}={n}" for n in range(32))], ",".join(f"k{n}={n}" for n in range(32))),
        ([",".join(f"k{n}={n}" for n in range(33))], None),
        (["a=1,B=2"], None),
        (["a"], None),
        (["a="], None),
        (["a=b=c"], None),
        (["a=1\r\nx: y"], None),
        (["a" * 257 + "=1"], None),
        (["a=" + "1" * 257], None),
        ([""], None),
        ([], None),
    ],
)
def test_a_state_that_breaks_the_rules_is_dropped_alone(states, sent):
    headers = [("traceparent", VALID), *(("tracestate", state) for state in states)]
    found = continued(headers)
    assert found == {"traceparent": VALID} | ({} if sent is None else {"tracestate": sent})


@pytest.mark.parametrize("nothing", [None, 5, "traceparent", [1], [("a",)], object(), b"x"])
def test_no_headers_at_all(nothing):
    assert continued(nothing) is None


@given(
    trace=st.integers(1, 2**128 - 1),
    parent=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 255),
)
def test_what_goes_in_comes_out(trace, parent, flags, shared):
    incoming = {"traceparent": f"00-{trace:032x}-{parent:016x}-{flags:02x}"}
    with extract(incoming), span("first") as first:
        sent = inject()
    with extract(sent), span("second") as second:
        last = inject()
    assert first.trace_id == second.trace_id == f"{trace:032x}"
    assert last == {"traceparent": f"00-{trace:032x}-{second.span_id}-{flags & 3:02x}"}
    parents = [record.parent_id for record in shared.finished()]
    assert parents == ([f"{parent:016x}", first.span_id] if flags & 1 else [])


texts = st.text() | st.from_regex(r"\A[0-9a-fA-F]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-.{1,4}\Z")
names = st.sampled_from(["traceparent", "tracestate", "Traceparent"]) | st.text()
parts = st.none() | st.integers() | st.binary() | texts


@settings(max_examples=300)
@given(st.dictionaries(names, parts) | st.lists(st.tuples(names | st.binary(), parts)) | parts)
def test_garbage_is_as_good_as_nothing(garbage):
    sent = continued(garbage)
    if sent is not None:
        assert continued(sent) == sent  # what was taken is sent on in a form that is taken
        assert len(sent["traceparent"]) == 55
        assert all(32 <= ord(one) < 127 for value in sent.values() for one in value)
    assert inject() == {}
