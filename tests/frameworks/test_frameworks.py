"""Frameworks that are handed a traced client, for real: ``pytest -m frameworks``."""

from __future__ import annotations

import pytest

from ollamatrace import Tracer
from tests.frameworks.document import PATH, shape, trees_in, trees_of
from tests.frameworks.environments import run
from tests.frameworks.table import FRAMEWORKS
from tests.frameworks.verdict import verdicts

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(600)]

EACH = pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.name)


@EACH
def test_a_traced_client_is_like_a_bare_one_and_each_call_is_one_span(framework):
    found = verdicts(framework)
    assert len(found) >= 7
    assert {one.scenario: one.wrong for one in found if one.wrong} == {}


@EACH
def test_the_document_shows_what_a_run_gives(framework):
    told = trees_in(PATH.read_text("utf-8"))
    for name, tree in trees_of(framework).items():
        assert shape(told[name]) == shape(tree)


@EACH
async def test_the_traces_can_be_sent_to_be_looked_at(framework, tmp_path):
    store = f"sqlite:///{tmp_path}/traces.db"
    done = run(framework, "tests.frameworks.sent", framework.name, store)
    assert done.returncode == 0, done.stderr
    with Tracer(store) as tracer:
        traces = await tracer.search_traces(session=framework.name)
    statuses = {trace.root.name.partition(" ")[2]: trace.root.status for trace in traces}
    names = ("itself", "structured", "error")
    assert [statuses.get(name) for name in names] == ["OK", "OK", "ERROR"]
