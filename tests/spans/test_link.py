"""Links from one span to another."""

from __future__ import annotations

import pytest

from ollamatrace import Tracer, span, sync
from ollamatrace.spans import SilentSpan
from ollamatrace.testing import MemoryTracer

IDS = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def link(trace_id, span_id):
    return {"trace_id": trace_id, "span_id": span_id}


def test_spans_and_ids(tracer):
    with span("first") as first:
        pass
    with span("second") as second:
        second.link(first)
        second.link(IDS)
        second.link((f"tr-{IDS[0].upper()}", IDS[1].upper()))  # the same again
        second.link(first)
    second.link((IDS[1] * 2, IDS[1]))  # it is over
    _, record = tracer.finished()
    assert record.links == [link(first.trace_id, first.span_id), link(*IDS)]


def test_before_it_begins(tracer):
    later = span("later")
    later.link(IDS)
    with MemoryTracer() as other, other.span("outer") as outer, later:
        pass
    [record] = tracer.finished()
    assert record.links == [link(*IDS), link(outer.trace_id, outer.span_id)]


def test_what_is_not_recorded_is_not_linked_to(tracer, caplog):
    silent = SilentSpan("silent", "TOOL")
    with span("a") as one:
        one.link(silent)
        one.link(span("not begun"))
        silent.link(one)
        silent.link(IDS)
    with tracer.span("below nothing", parent=silent):
        pass
    with tracer.span("below what has not begun", parent=tracer.span("b")):
        pass
    for record in tracer.finished():
        assert (record.links, record.parent_id) == ([], None)
        assert int(record.trace_id, 16)
    assert not caplog.records


@pytest.mark.parametrize("wrong", [("x", "y"), ("0" * 32, "0" * 16), IDS[::-1], IDS[:1], None, 5])
def test_what_is_no_span_is_warned_about(wrong, tracer, caplog):
    with span("a") as one:
        one.link(wrong)
    [record] = tracer.finished()
    assert record.links == []
    if wrong != ("0" * 32, "0" * 16):
        assert "Span.link takes a span" in caplog.text


def test_links_are_stored(tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with tracer.span("a") as one:
            one.link(IDS)
        assert sync.get_trace(one.trace_id).root.links == [link(*IDS)]
