"""gevent and eventlet are not supported, and say so."""

from __future__ import annotations

import pytest

from tests.lifecycle.programs import names, quiet, run

PROGRAM = """
import sys
from ollamatrace import Tracer
for n in range(2):
    with Tracer("sqlite:///" + sys.argv[1]).span(f"tracer {n}"):
        pass
"""
GEVENT = "from gevent import monkey\nmonkey.patch_all()\n"


@pytest.mark.parametrize(
    "code",
    [GEVENT + PROGRAM, "import ollamatrace\n" + GEVENT + PROGRAM],
    ids=["patched first", "patched later"],
)
def test_gevent_is_warned_of_once(code, tmp_path):
    done = run(code, tmp_path / "x.db", options=["-W", "ignore"])
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gevent has replaced Python's threads")
    assert names(tmp_path / "x.db") == ["tracer 0", "tracer 1"]


def test_eventlet_is_warned_of_once(tmp_path):
    # Not the real one: it is not maintained any more, and warns at its import.
    code = """
import sys, types
patcher = types.ModuleType("eventlet.patcher")
patcher.is_monkey_patched = lambda module: module == "thread"
sys.modules["eventlet.patcher"] = patcher
"""
    done = run(code + PROGRAM, tmp_path / "x.db")
    assert (done.returncode, done.stderr.count("\\n")) == (0, 0)
    assert done.stderr.startswith("eventlet has replaced Python's threads")


def test_gevent_that_replaces_no_threads_is_fine(tmp_path):
    code = "import gevent.monkey\ngevent.monkey.patch_all(thread=False)\n"
    quiet(run(code + PROGRAM, tmp_path / "x.db", options=["-W", "ignore"]))
