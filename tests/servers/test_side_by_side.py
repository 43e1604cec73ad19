"""A program traced by `mlflow.openai.autolog` and one traced by us, in one experiment."""

from __future__ import annotations

import json

from ollamatrace import TracedClient, Tracer
from ollamatrace.destinations.mlflow.improvements import improvements
from tests.servers import golden
from tests.servers.compare import Allowed, comparable, differences
from tests.servers.mlflow_server import ROOT, run

CONDITIONS = [
    {},
    {"filter_string": "status = 'ERROR'"},
    {"filter_string": "status = 'OK'"},
    {"filter_string": "name = 'Embeddings'"},
    {"filter_string": "name = 'AsyncCompletions'"},
    {"filter_string": "span.type = 'LLM'"},
    {"filter_string": "span.name = 'Responses'"},
    {"filter_string": "span.attributes.model LIKE '%think%'"},
    {"filter_string": "execution_time_ms >= 0"},
    {"filter_string": "timestamp_ms > 0", "order_by": ["timestamp_ms DESC"]},
    {"filter_string": "trace.text LIKE '%Weather in Paris%'"},
]


def test_the_two_leave_the_same(mlflow_server, model_server, experiment):
    autologs = by_autolog(mlflow_server, model_server, experiment)
    by_us(mlflow_server, model_server, experiment)
    traces = mlflow_server.traces(experiment, len(autologs) + len(golden.names()))
    by_id = {trace["info"]["trace_id"]: trace for trace in traces}
    own = [trace for trace_id, trace in by_id.items() if trace_id not in autologs.values()]
    own.sort(key=lambda trace: trace["data"]["spans"][0]["start_time_unix_nano"])
    ids = [trace["info"]["trace_id"] for trace in own]
    ours = dict(zip(golden.names(), ids, strict=True))
    # Before 3.18, autolog leaves no trace of a stream that is closed early.
    assert ours.keys() - autologs.keys() <= {"chat_stream_abandoned"}

    wrong = []
    for name, trace_id in autologs.items():
        theirs, own = by_id[trace_id], by_id[ours[name]]
        meant = Allowed(golden.improvements_for(theirs, improvements))
        left = meant.left(differences(comparable(theirs), comparable(own)))
        wrong += [((name, *where), *what) for where, *what in left]
    assert not wrong, "\n" + "\n".join(map(Allowed.told, wrong))

    names = {ours[name]: name for name in autologs} | {one: name for name, one in autologs.items()}
    for conditions in CONDITIONS:
        found = mlflow_server.ask("search", experiment, **conditions)
        theirs = [names[one] for one in found if one in autologs.values()]
        own = [names[one] for one in found if one in names and one not in autologs.values()]
        assert theirs, conditions
        assert own == theirs, conditions


def by_autolog(mlflow_server, model_server, experiment):
    """Make the calls with autolog; gives the ids of the traces by the names of the calls."""
    program = ["-m", "tests.servers.autolog", mlflow_server.url, experiment, model_server.url]
    made = json.loads(run(*program, folder=ROOT).splitlines()[-1])
    for name, one in made.items():
        assert one["raised"] == golden.load(name).get("raised")
    return {name: one["trace_id"] for name, one in made.items() if one["trace_id"]}


def by_us(mlflow_server, model_server, experiment):
    with Tracer(mlflow_server.url, experiment=experiment) as tracer:
        for name in golden.names():
            golden.call(name, lambda client: TracedClient(client, tracer=tracer), model_server.url)
        report = tracer.flush(timeout=30)
    assert report.delivered == report.accepted == len(golden.names()), report
