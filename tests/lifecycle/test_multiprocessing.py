"""Children of `multiprocessing`, which leave by `os._exit` and ask only its own finalizers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lifecycle.programs import DEADLINE_S, names, quiet

METHODS = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])

SCRIPT = """
import concurrent.futures, multiprocessing, os, sys, time
from ollamatrace import Tracer, set_default, span

SERVER = "sqlite:///" + sys.argv[1]

def with_its_own(n):
    with Tracer(SERVER).span(f"own {n}"):
        pass

def with_what_is_there(n):
    set_default(Tracer(SERVER))
    with span(f"default {n}"):
        pass

def ready():
    set_default(Tracer(SERVER))

def task(n):
    with span(f"task {n}"):
        return n

def left_open(started):
    tracer = Tracer(SERVER)
    with tracer.span("stored"):
        pass
    tracer.flush()
    started.set()
    with tracer.span("open"):
        time.sleep(600)

def processes(context):
    for work in (with_its_own, with_what_is_there):
        children = [context.Process(target=work, args=(n,)) for n in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0

def recycled(context):
    with context.Pool(2, ready, maxtasksperchild=1) as pool:
        assert sorted(pool.imap_unordered(task, range(12), chunksize=1)) == list(range(12))
        pool.close()
        pool.join()

def executor(context):
    with concurrent.futures.ProcessPoolExecutor(2, context, ready) as pool:
        assert list(pool.map(task, range(12))) == list(range(12))

def terminated(context):
    started = context.Event()
    child = context.Process(target=left_open, args=(started,))
    child.start()
    started.wait()
    child.terminate()
    child.join()
    assert child.exitcode == -15

if __name__ == "__main__":
    with Tracer(SERVER).span("parent"):
        pass
    globals()[sys.argv[3]](multiprocessing.get_context(sys.argv[2]))
"""


@pytest.fixture
def run(tmp_path):
    """Run one of the functions above with one of the methods; the names of the spans."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    store = tmp_path / "x.db"

    def run(what, method):
        command = [sys.executable, "-W", "error", "-W", "ignore:This process", script]
        quiet(
            subprocess.run(
                [*command, store, method, what],
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
            )
        )
        return names(store)

    return run


@METHODS
def test_processes(method, run):
    own = [f"{kind} {n}" for kind in ("default", "own") for n in range(3)]
    assert run("processes", method) == sorted(["parent", *own])


@METHODS
def test_a_pool_that_recycles_its_children(method, run):
    assert run("recycled", method) == sorted(["parent", *(f"task {n}" for n in range(12))])


@METHODS
def test_an_executor_of_processes(method, run):
    assert run("executor", method) == sorted(["parent", *(f"task {n}" for n in range(12))])


@METHODS
def test_a_child_that_is_terminated(method, run):
    assert run("terminated", method) == ["parent", "stored"]
