"""Being connected to OpenTelemetry and not, and what that leaves as it is."""

from __future__ import annotations

import gc
import subprocess
import sys

from opentelemetry import baggage, context
from opentelemetry import trace as otel_trace

from ollamatrace import otel, span
from tests.otel.current import ids, nothing_is_current, now, ours, work


def test_nothing_of_ours_where_nothing_is_recorded(tracer, theirs, monkeypatch):
    with tracer.suppressed(), span("silent"):
        assert nothing_is_current()
    with theirs.span("b") as b:
        with tracer.suppressed(), span("silent"):
            assert otel_trace.get_current_span() is b
        tracer.disable()
        with span("silent"):
            assert otel_trace.get_current_span() is b
    assert not ours(tracer)


def test_baggage_ends_with_the_span_in_which_it_was_set(tracer, theirs):
    before = context.attach(baggage.set_baggage("kept", "yes"))
    with span("a"):
        assert baggage.get_baggage("kept") == "yes"
        context.attach(baggage.set_baggage("of a", "yes"))
        with span("b"):
            assert baggage.get_baggage("of a") == "yes"
        assert baggage.get_baggage("of a") == "yes"
    assert dict(baggage.get_all()) == {"kept": "yes"}
    context.detach(before)


def test_connecting_and_disconnecting_more_than_once(tracer, theirs):
    otel.connect()
    with theirs.span("a") as a:
        with span("b"):
            otel.disconnect()
            otel.disconnect()
            with span("c") as c:
                assert now() != ids(c)
        assert otel_trace.get_current_span() is a
        with span("d"):
            assert otel_trace.get_current_span() is a
    otel.connect()
    work("e")
    found = ours(tracer)
    assert found["b"] == ids(a)
    assert found["d"][0] is None


class Slotted(otel_trace.NonRecordingSpan):
    """A span of another SDK, that cannot be a key."""

    __hash__ = None

    def __eq__(self, other):
        return self is other


def test_spans_of_another_sdk(tracer):
    known = otel_trace.SpanContext(1, 2, is_remote=False, trace_flags=otel_trace.TraceFlags(1))
    with otel_trace.use_span(Slotted(known)):
        work()
    assert ours(tracer)["work"] == (f"{2:016x}", f"{1:032x}")


def test_many_leave_nothing_behind(tracer, theirs):
    def many(count):
        for _ in range(count):
            with span("a"), theirs.tracer.start_as_current_span("b"), span("c"):
                pass
        theirs._exporter.clear()
        tracer.finished(timeout=60)
        gc.collect()
        return len(gc.get_objects())

    before = many(10)
    assert many(10_000) - before < 1_000
    assert not otel._bridge._known


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_not_imported_unless_it_is_asked_for():
    code = "import sys, ollamatrace; print([name for name in sys.modules if 'opentel' in name])"
    assert python(code).stdout == "[]\n"


def test_without_opentelemetry_it_says_what_to_install():
    code = "import sys; sys.modules['opentelemetry'] = None; import ollamatrace.otel"
    assert "ImportError: ollamatrace.otel needs OpenTelemetry" in (told := python(code).stderr)
    assert "pip install 'ollamatrace[otel]'" in told
