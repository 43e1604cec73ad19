"""What `update_trace` says of a trace whose root is in another process, and where its spans go."""

from __future__ import annotations

import json

import pytest

from ollamatrace import Tracer, extract, last_trace_id, set_default, span, sync, update_trace
from ollamatrace.records import TraceUpdate
from tests.destinations.mlflow.loopback import Loopback

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
INFO = "/api/3.0/mlflow/traces"


@pytest.fixture
def updates(tracer):
    """Gives the changes that went to the destination after spans."""
    found = []
    write = tracer._memory.write

    def spy(records, pause):
        found.extend(one for one in records if isinstance(one, TraceUpdate))
        write(records, pause)

    tracer._memory.write = spy

    def drained():
        records = {record.name: record for record in tracer.finished()}
        return records, found

    return drained


@pytest.fixture
def mlflow(tmp_path):
    with Loopback() as server, Tracer(server.url, experiment="Tests") as tracer:
        set_default(tracer)
        yield server, tracer


def work(name):
    with span(name):
        pass


def test_all_that_end_below_carry_it(updates, caplog):
    with extract(INCOMING):
        update_trace(user="ada")
        work("first")
        with span("second"):
            update_trace(tags={"a": "1"}, name="renamed")
            work("inside")
        work("third")
    records, said = updates()
    assert records.keys() == {"first", "inside", "second", "third"}  # the root is elsewhere
    assert {record.user for record in records.values()} == {"ada"}
    for name in ("inside", "second", "third"):
        assert records[name].tags == {"a": "1"}
    assert [(one.trace_id, one.user, one.name) for one in said] == [
        (TRACE, "ada", None),
        (TRACE, "ada", "renamed"),
    ]
    assert not caplog.records


def test_after_a_span_it_goes_out_at_once(updates):
    with extract(INCOMING):
        work("first")
        update_trace(tags={"a": "1"})
        records, said = updates()
        assert records["first"].tags == {"a": "1"}
        assert [one.tags for one in said] == [{"a": "1"}]
        work("second")
    records, said = updates()
    assert records["second"].tags == {"a": "1"}
    assert len(said) == 1


def test_without_a_span_it_goes_out_at_the_end(updates):
    with extract(INCOMING):
        update_trace(tags={"answer": "good"})
        assert not updates()[1]
    [said] = updates()[1]
    assert (said.trace_id, said.tags) == (TRACE, {"answer": "good"})


def test_a_span_that_outlives_the_block_says_it(updates):
    late = span("late")
    with extract(INCOMING):
        late.__enter__()
        update_trace(tags={"a": "1"})
    assert not updates()[1]
    late.__exit__(None, None, None)
    records, [said] = updates()
    assert records["late"].tags == said.tags == {"a": "1"}


def test_after_the_block_the_last_trace_is_meant(updates):
    with extract(INCOMING):
        work("inside")
    assert last_trace_id() == TRACE
    update_trace(user="ada")
    assert [one.trace_id for one in updates()[1]] == [TRACE]


def test_it_is_tried_again_where_there_was_no_room(updates, tracer, monkeypatch):
    put = tracer.pipeline.put
    with extract(INCOMING):
        update_trace(tags={"a": "1"})
        monkeypatch.setattr(
            tracer.pipeline, "put", lambda item, size, spans=1: bool(spans and put(item, size))
        )
        work("first")
        monkeypatch.undo()
        work("second")
    assert [one.tags for one in updates()[1]] == [{"a": "1"}]


def test_suppressed_nothing_is_said(updates, tracer):
    with extract(INCOMING), tracer.suppressed():
        update_trace(tags={"a": "1"})
    assert not updates()[1]


def test_an_embedded_store_shows_it_on_the_spans_that_are_there(tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        set_default(tracer)
        with extract(INCOMING), span("top"):
            work("inside")
            update_trace(user="ada", tags={"a": "1"})
        trace = sync.get_trace(TRACE)
    assert [one.name for one in trace.spans] == ["top", "inside"]
    assert trace.root.parent_id == SPAN
    assert [(one.user, one.tags) for one in trace.spans] == [("ada", {"a": "1"})] * 2


def test_a_server_gets_the_spans_and_no_info_of_a_trace_that_is_another_ones(mlflow):
    server, tracer = mlflow
    with extract(INCOMING), span("top"):
        work("inside")
    report = tracer.flush()
    assert (report.delivered, report.pending) == (2, 0)
    assert len(server.spans[f"tr-{TRACE}"]) == 2
    assert not [one for one in server.calls(INFO) if one["path"] == INFO]


def test_a_server_is_told_after_the_first_span(mlflow, caplog):
    server, tracer = mlflow
    with extract(INCOMING):
        update_trace(tags={"a": "1"}, name="renamed")
        tracer.flush()
        work("top")
    tracer.flush()
    told = [json.loads(one["body"]) for one in server.calls(f"{INFO}/tr-{TRACE}/tags")]
    assert {one["key"]: one["value"] for one in told} == {"a": "1", "mlflow.traceName": "renamed"}
    assert not caplog.records
