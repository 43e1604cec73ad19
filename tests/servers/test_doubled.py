"""A client that MLflow's autolog traces, too, and both send to one server."""

from __future__ import annotations

import pytest

from tests.doubles.environment import told_by
from tests.servers.stored import TOKENS, state, tokens


@pytest.mark.doubles
@pytest.mark.parametrize("how", ["apart", "connected"])
def test_two_traces_of_a_call_and_a_warning(how, sqlite_server, model_server, experiment):
    url = sqlite_server.url
    told = told_by("tests.servers.both", url, experiment, model_server.url, how)
    assert told["delivered"] == 1
    assert [one.partition(" also")[0] for one in told["warnings"]] == ["mlflow.openai.autolog"]
    traces = sqlite_server.traces(experiment, 2, until=lambda seen: all(map(tokens, seen)))
    for trace in traces:
        assert state(trace) == "OK"
        assert tokens(trace) == TOKENS
        [root] = trace["data"]["spans"]
        assert root["parent_span_id"] is None
