"""A server that is away: what ended in the meantime arrives when it is back."""

from __future__ import annotations

import pytest

from ollamatrace import Tracer
from tests.servers import programs
from tests.servers.processes import poll
from tests.servers.stored import TOKENS, is_finalized, state, tokens, tree


@pytest.fixture
def outage(sqlite_server):
    """Take the server away, and bring it back at the latest when the test is over."""
    away = []

    class Outage:
        def begin(self):
            sqlite_server.stop()
            away.append(True)

        def end(self):
            sqlite_server.start()
            away.clear()

    yield Outage()
    if away:
        sqlite_server.start()


def test_nothing_is_lost_while_the_server_is_away(sqlite_server, experiment, outage):
    with Tracer(sqlite_server.url, experiment=experiment) as tracer:

        def work(name):
            with tracer.span(name), tracer.span("child"):
                pass

        work("before")
        assert tracer.flush(timeout=20).delivered == 2
        outage.begin()
        for number in range(50):
            work(f"meanwhile {number}")
        report = tracer.flush(timeout=1)
        assert (report.accepted, report.delivered, report.dropped) == (102, 2, 0), report
        assert report.pending + report.spooled == 100
        outage.end()
        work("after")
        poll(
            lambda: tracer.stats().delivered == 104,
            what=f"not all was delivered: {tracer.stats()}",
            deadline_s=60,
        )
        report = tracer.stats()
        assert (report.accepted, report.pending, report.spooled, report.dropped) == (104, 0, 0, 0)
    names = {"before", *(f"meanwhile {number}" for number in range(50)), "after"}
    traces = sqlite_server.traces(experiment, 52, until=lambda seen: all(map(is_finalized, seen)))
    assert {trace["info"]["tags"]["mlflow.traceName"] for trace in traces} == names
    for trace in traces:
        name = trace["info"]["tags"]["mlflow.traceName"]
        assert state(trace) == "OK"
        assert tree(trace) == sorted([("child", name), (name, None)])


def test_another_process_delivers_what_a_killed_one_could_not(
    sqlite_server, experiment, outage, model_server
):
    killed = """
for name in ("first", "second"):
    with span(name) as one:
        one.inputs = "a question"
        ask()
with span("never ended"):
    ask()
    report = tracer.flush(timeout=1)
    assert (report.delivered, report.dropped) == (0, 0), report
    assert report.spooled == 5, report
    ready()
"""
    outage.begin()
    with programs.started(killed, sqlite_server, experiment, model_server) as process:
        programs.wait_until_ready(process)
        process.kill()
        process.wait()
    outage.end()
    other = """
with span("of the second process"):
    pass
tracer.flush(timeout=20)
"""
    programs.run(other, sqlite_server, experiment, model_server)
    traces = sqlite_server.traces(experiment, 4)
    assert {tuple(tree(trace)) for trace in traces} == {
        (("Completions", "first"), ("first", None)),
        (("Completions", "second"), ("second", None)),
        (("Completions", "?"),),
        (("of the second process", None),),
    }
    for trace in traces:
        open_ = ("Completions", "?") in tree(trace)
        assert state(trace) == ("IN_PROGRESS" if open_ else "OK")
        assert is_finalized(trace) is not open_
        if len(tree(trace)) == 2:
            assert tokens(trace) == TOKENS
            assert trace["info"]["request_preview"] == '"a question"'


def test_a_program_that_ends_while_the_server_is_away(
    sqlite_server, experiment, outage, model_server
):
    outage.begin()
    code = "with span('root'):\n    ask()"
    with programs.started(code, sqlite_server, experiment, model_server) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    outage.end()
    with Tracer(sqlite_server.url, experiment=experiment) as tracer:
        with tracer.span("later"):
            pass
        tracer.flush(timeout=20)
        traces = sqlite_server.traces(
            experiment, 2, until=lambda seen: all(map(is_finalized, seen))
        )
    assert tree(traces[0]) == [("Completions", "root"), ("root", None)]
    assert (state(traces[0]), tokens(traces[0])) == ("OK", TOKENS)
