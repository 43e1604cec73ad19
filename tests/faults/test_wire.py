"""Whatever goes wrong between a program and its server: no span is lost, none comes twice."""

from __future__ import annotations

import json

import pytest

from ollamatrace import Delivery, Tracer
from ollamatrace.pipeline import attempts
from ollamatrace.settings import default_spool
from tests.faults.faults import FEW, PASSING, unresolved
from tests.faults.load import Load, Watch, settled
from tests.pipeline.tracers import balanced, until

TIMEOUT_S = 0.5
many = pytest.mark.faults


@pytest.fixture(
    params=[
        pytest.param((FEW, 10, "throughput"), id="few"),
        pytest.param((20_000, 10, "throughput"), id="many", marks=many),
        pytest.param((100, 2, "info"), id="few-info"),
        pytest.param((4_000, 2, "info"), id="many-info", marks=many),
    ]
)
def size(request):
    """How many spans, how many of them in each trace, and the mode."""
    return request.param


@pytest.fixture
def told():
    return []


@pytest.fixture
def through(remote, size, told, monkeypatch):
    """Send spans while something goes wrong; what was sent, and the account in the end."""
    spans, per_trace, mode = size
    if spans <= FEW:  # for the whole suite to be quick
        monkeypatch.setattr(attempts, "_FIRST_RETRY_S", 0.02)

    def run(script, *, host="127.0.0.1", poison=0, before_the_end=settled):
        delivery = Delivery(mode=mode, timeout_s=TIMEOUT_S)
        url = f"http://{host}:{remote.port}"
        with (
            Tracer(url, experiment="Faults", delivery=delivery, on_warning=told.append) as tracer,
            Watch(tracer),
        ):
            load = Load(tracer, spans, per_trace, poison).start()
            script(remote, spans)
            load.join()
            before_the_end(tracer)
            report = settled(tracer)
        stored, infos, wrong = remote.journal()
        assert not wrong
        assert stored.keys() == load.made - load.poison
        if mode == "info":
            assert infos.keys() == load.roots
        else:
            assert not infos
        assert report.accepted == spans
        assert report.delivered == spans - poison
        assert not list(default_spool().glob("*/[0-9]*.jsonl"))
        return load, report

    return run


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_costs_nothing(fault, through):
    _, report = through(PASSING[fault])
    assert (report.dropped, dict(report.reasons)) == (0, {})
    assert not list(default_spool().glob("*/rejected.jsonl"))


def test_a_name_that_does_not_resolve_at_first(through, monkeypatch):
    _, report = through(unresolved(monkeypatch), host="mlflow.test")
    assert report.dropped == 0


@pytest.mark.parametrize("code", [401, 403])
def test_a_server_that_denies(code, through, remote, told):
    """It is said once, the spool is kept, and a flush delivers once that is put right."""

    def script(server, spans):
        server.start(kind="status", status=code)
        server.until(hits=1)

    def put_right(tracer):
        until(lambda: balanced(tracer.flush(timeout=2)).pending == 0)
        report = tracer.stats()
        assert (report.delivered, report.dropped) == (0, 0)
        assert report.spooled == report.accepted
        assert len([one for one in told if f"answers {code}" in one]) == 1
        remote.fault()
        tracer.flush(timeout=0)
        until(lambda: tracer.stats().delivered)

    _, report = through(script, before_the_end=put_right)
    assert report.dropped == 0


@pytest.mark.parametrize("code", [413, 422])
def test_poison_is_set_aside_and_nothing_else(code, through):
    def script(server, spans):
        server.start(refuse=code)

    load, report = through(script, poison=5)
    assert dict(report.reasons) == {"rejected": 5}
    (file,) = default_spool().glob("*/rejected.jsonl")
    aside = [json.loads(line) for line in file.read_text().splitlines()]
    assert {(one["record"]["trace_id"], one["record"]["span_id"]) for one in aside} == load.poison
    assert len(aside) == 5
    assert all(f"answers {code}" in one["reason"] for one in aside)
