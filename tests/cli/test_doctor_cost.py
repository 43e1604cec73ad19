"""What `ollamatrace doctor` says about cost and lag: for information, never a failure."""

from __future__ import annotations

import re
import time

import pytest

from ollamatrace import TracedClient
from ollamatrace.cli import doctor_cost, stub
from ollamatrace.cli.doctor_cost import check_cost
from ollamatrace.settings import default_spool
from ollamatrace.spool import accounts
from ollamatrace.testing import MemoryTracer
from tests.cli import programs
from tests.destinations.mlflow.loopback import Loopback

COST = re.compile(
    r"here tracing adds (.+) to a call and (.+) to a span of your own; "
    r"a background thread spends (.+) on each .*"
)


def test_what_tracing_costs_here(diagnose, environ):
    environ.setenv("OLLAMATRACE_DISABLED", "1")
    environ.setenv("OLLAMA_HOST", "no address at all:x:y")
    code, found = diagnose()
    assert code == 0
    level, text = found["cost"]
    assert level == "ok"
    assert all(re.fullmatch(r"[\d.]+ [µm]s", took) for took in COST.fullmatch(text).groups())
    assert not default_spool().parent.exists()


@pytest.mark.parametrize("make", [stub._ollama, stub._openai])
def test_the_calls_are_traced_as_any(make):
    client, call = make()
    with MemoryTracer() as tracer:
        answer = call(TracedClient(client, tracer=tracer))
        [record] = tracer.finished()
    assert answer is call(client)
    assert record.kind == "CHAT_MODEL"
    assert (record.status, record.model) == ("OK", "stub")
    assert len(record.inputs["messages"][0]["content"]) == 1000
    assert "x" * 1000 in record.output_content.json.decode()


def test_what_takes_longer_is_seen(monkeypatch):
    span = MemoryTracer.span

    def slow(self, *arguments):
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return span(self, *arguments)

    monkeypatch.setattr(MemoryTracer, "span", slow)
    monkeypatch.setattr(doctor_cost, "_TIMES", 20)
    [one] = check_cost()
    assert COST.fullmatch(one.text)[2].endswith(" ms")


def test_without_an_sdk_spans_are_measured(monkeypatch):
    monkeypatch.setattr(stub.importlib.util, "find_spec", lambda _: None)
    [one] = check_cost()
    assert "a span of your own" in one.text
    assert "to a call" not in one.text
    assert "no client of ollama or openai can be made here" in one.text


def test_no_failure_of_it_is_a_finding(monkeypatch):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    monkeypatch.setattr(doctor_cost, "_ways", lambda _: 1 / 0)
    assert list(check_cost()) == []


def test_how_soon_the_spans_of_ended_programs_arrived(diagnose):
    code = (
        "import sys; from ollamatrace import Tracer\n"
        "tracer = Tracer(sys.argv[1])\n"
        "for number in range(int(sys.argv[2])):\n"
        "    with tracer.span('a'): pass\n"
    )
    with Loopback() as server:
        for count in ("3", "1"):
            done = programs.run(code, server.url, count)
            assert done.returncode == 0, done.stderr
    both = [one["arrivals"] for one in accounts.read(default_spool())]
    assert [one["spans"] for one in both] == [3, 1]
    level, text = diagnose()[1]["lag"]
    assert level == "ok"
    assert text.startswith(f"{server.url}: spans were there ")
    assert f"{4 / sum(one['batches'] for one in both):.1f} in a request, 3 at most" in text


def test_accounts_without_it_and_with_anything_else(diagnose):
    url = "http://x:1"
    counts = {"url": url, "accepted": 1, "delivered": 1}
    lag = {"median_lag_s": 0.2, "longest_lag_s": 90, "batches": 2, "spans": 5, "largest_spans": 4}
    accounts.note(default_spool(), [counts, {**counts, "arrivals": [1]}])
    assert "lag" not in diagnose()[1]
    nothing = dict.fromkeys(lag)
    accounts.note(default_spool(), [{**counts, "arrivals": one} for one in (lag, nothing, {})])
    assert diagnose()[1]["lag"][1] == (
        f"{url}: spans were there 200 ms after they ended (median of the programs; longest "
        "1m 30s), 2.5 in a request, 4 at most"
    )


def test_how_long_the_test_span_took(diagnose):
    with Loopback() as server:
        server.add_experiment("Tests")
        code, found = diagnose("--server", server.url, "--send")
    assert code == 0
    assert re.search(r"delivered 1, [\d.]+ m?s after it ended\)", found["test_span"][1])
