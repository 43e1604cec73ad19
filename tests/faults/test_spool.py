"""Whatever befalls the folder in which spans wait: nothing is lost while the process lives."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import tenacity  # noqa: F401  before the user changes, who may not be able to import it

from ollamatrace import Delivery, Tracer
from ollamatrace.settings import default_spool
from tests.faults.load import Load, Watch, settled
from tests.pipeline.tracers import balanced, until
from tests.servers.processes import poll


@pytest.fixture(params=[500, pytest.param(20_000, marks=pytest.mark.faults)])
def spans(request):
    return request.param


@pytest.fixture
def home(monkeypatch):
    """A data folder that another user can get at."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        monkeypatch.setenv("XDG_DATA_HOME", name)
        yield Path(name)


@contextmanager
def read_only(home):
    root = os.geteuid() == 0
    home.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        home.chmod(0o777)


@contextmanager
def full_disk(home):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def no_home(home):
    """A file where the folder should be."""
    home.rmdir()
    home.write_text("")
    yield
    home.unlink()
    home.mkdir()


@pytest.mark.parametrize("trouble", [read_only, full_disk, no_home])
def test_what_cannot_be_written_waits_in_memory(trouble, spans, home, remote):
    told = []
    delivery = Delivery(mode="throughput", timeout_s=0.5)
    remote.start(kind="status", status=503)
    with Tracer(
        remote.url, experiment="Faults", delivery=delivery, on_warning=told.append
    ) as tracer:
        tracer._destinations[0].prepare()  # as above
        with Watch(tracer), trouble(home):
            load = Load(tracer, spans, 10).start()
            load.join()
            until(lambda: not tracer.pipeline.waiting)
            report = balanced(tracer.flush(timeout=0.2))
            assert (report.delivered, report.dropped) == (0, 0)
            assert report.pending >= spans // 2
            assert len([one for one in told if "waits in memory only" in one]) == 1
            remote.fault()
            report = settled(tracer)
        assert (report.delivered, report.dropped) == (spans, 0)
    stored, _, wrong = remote.journal()
    assert not wrong
    assert stored.keys() == load.made


def test_a_folder_that_is_deleted_while_spans_come_in(spans, home, remote):
    delivery = Delivery(mode="throughput", timeout_s=0.5)
    remote.start(kind="status", status=503)
    with Tracer(remote.url, experiment="Faults", delivery=delivery) as tracer, Watch(tracer):
        load = Load(tracer, spans, 10).start()
        for _ in range(2 if spans > 500 else 1):
            poll(lambda: list(default_spool().glob("*/*")), what="no spool", every_s=0.01)
            shutil.rmtree(default_spool(), ignore_errors=True)
        load.join()
        until(lambda: tracer.stats().spooled == spans)
        remote.fault()
        report = settled(tracer)
    assert (report.delivered, report.dropped) == (spans, 0)
    assert remote.journal()[0].keys() == load.made
