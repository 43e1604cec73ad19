"""Whatever befalls the file of the embedded store: no span is lost, none is there twice."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ollamatrace import Tracer
from ollamatrace.pipeline import lane
from tests.faults.kept import kept_ids
from tests.faults.load import Load, Watch, settled
from tests.pipeline.tracers import balanced, until

_TICK = threading.Event()  # never set: a wait
LOCKED_S = 1.0


@pytest.fixture(params=[500, pytest.param(20_000, marks=pytest.mark.faults)])
def spans(request):
    return request.param


@pytest.fixture
def folder():
    """One that another user can get at."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def through(spans, folder):
    """Store spans while something goes wrong; what was made, and the file."""

    def run(trouble, *, needs_warning=True):
        told = []
        store = folder / "kept.db"
        with Tracer(f"sqlite:///{store}", on_warning=told.append) as tracer, Watch(tracer):
            with tracer.span("first") as first:
                pass
            tracer.flush()
            load = Load(tracer, spans, 10)
            with trouble(store, tracer):
                load.start()
                if needs_warning:
                    until(lambda: told)
                    assert "they wait in memory" in told[0]
                load.join()
            report = settled(tracer)
        assert (report.delivered, report.dropped) == (spans + 1, 0)
        assert needs_warning is None or len(told) == needs_warning
        return {*load.made, (first.trace_id, first.span_id)}, store

    return run


@contextmanager
def locked(store, tracer):
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        assert balanced(tracer.flush(timeout=LOCKED_S)).pending > 0
        other.execute("ROLLBACK")


@contextmanager
def locked_off_and_on(store, tracer):
    end = threading.Event()

    def flap():
        with closing(sqlite3.connect(store, isolation_level=None, timeout=5)) as other:
            while not end.is_set():
                other.execute("BEGIN IMMEDIATE")
                end.wait(0.1)
                other.execute("ROLLBACK")
                end.wait(0.05)

    with closing(sqlite3.connect(store)):
        thread = threading.Thread(target=flap)
    thread.start()
    yield
    _TICK.wait(0.5)
    end.set()
    thread.join()


@contextmanager
def full_disk(store, tracer):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        yield
        tracer.flush(timeout=0.2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def read_only(store, tracer):
    root = os.geteuid() == 0
    tracer._destinations[0].close()  # what is open stays writable
    for path in store.parent.iterdir():
        path.chmod(0o444)
    store.parent.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
        assert balanced(tracer.flush(timeout=0.2)).pending > 0
    finally:
        if root:
            os.seteuid(0)
        store.parent.chmod(0o777)
        for path in store.parent.iterdir():
            path.chmod(0o644)


@pytest.mark.parametrize("trouble", [full_disk, read_only])
def test_what_cannot_be_written_waits(trouble, through):
    made, store = through(trouble)
    assert kept_ids(store) == made


def test_the_turn_of_another_process_is_waited_for_without_a_word(through):
    made, store = through(locked, needs_warning=False)
    assert kept_ids(store) == made


def test_a_lock_that_stays_is_told(through, monkeypatch):
    monkeypatch.setattr(lane, "_BUSY_S", 0.2)
    made, store = through(locked)
    assert kept_ids(store) == made


def test_a_lock_that_comes_and_goes(through):
    made, store = through(locked_off_and_on, needs_warning=None)
    assert kept_ids(store) == made


@pytest.mark.parametrize("how", ["deleted", "folder deleted", "replaced"])
def test_a_file_that_is_gone_is_made_anew(how, through):
    """What went with it is gone; what comes later is in the file that is there."""
    by_then = []

    @contextmanager
    def gone(store, tracer):
        if how == "deleted":
            for path in store.parent.glob("kept.db*"):
                path.unlink()
        elif how == "folder deleted":
            shutil.rmtree(store.parent)
        else:
            other = store.with_name("other.db")
            with Tracer(f"sqlite:///{other}") as second, second.span("of the other file") as span:
                by_then.append((span.trace_id, span.span_id))
            other.replace(store)
            for path in store.parent.glob("kept.db-*"):
                path.unlink()
        yield

    made, store = through(gone, needs_warning=False)
    there = kept_ids(store)
    first = made - there
    assert len(first) == 1
    assert there == made - first | set(by_then)
