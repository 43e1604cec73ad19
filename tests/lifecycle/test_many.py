"""Many tracers in one process, and many processes at one store."""

from __future__ import annotations

import pytest

from tests.lifecycle.programs import DEADLINE_S, names, quiet, run, start

THREADS = """
import sys, threading
from ollamatrace import Tracer

def count(prefix):
    return sum(thread.name == prefix for thread in threading.enumerate())

tracers = [Tracer(server.format(n)) for server in sys.argv[1:] for n in range(200)]
for tracer in tracers:
    with tracer.span("a"):
        pass
assert all(tracer.flush(60).pending == 0 for tracer in tracers)
print(count("ollamatrace"), count("ollamatrace-send"), threading.active_count())
"""


def test_all_tracers_share_one_worker(tmp_path):
    assert quiet(run(THREADS, f"sqlite:///{tmp_path}/{{}}.db")) == "1 0 2\n"
    assert all(names(tmp_path / f"{n}.db") == ["a"] for n in range(200))


DROPPED = """
import gc, os, sys, threading, time, tracemalloc
from ollamatrace import Tracer
from ollamatrace.pipeline.worker import worker

def make_and_drop(times):
    for _ in range(times):
        tracer = Tracer(sys.argv[1])
        with tracer.span("a"):
            pass
        if sys.argv[2] == "closed":
            tracer.close()
        del tracer
    gc.collect()

def count():
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

def settle(most):
    deadline = time.monotonic() + 30
    while worker._pipelines or any(now > then for now, then in zip(count(), most)):
        assert time.monotonic() < deadline, (worker._pipelines, count(), most)
        time.sleep(0.01)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

at_first = count()[0] + 1, count()[1] + 8  # a worker, and what it or an import keeps open
tracemalloc.start()
make_and_drop(100)
before = settle(at_first)
open_now = count()
make_and_drop(200)
after = settle(open_now)
assert count() <= open_now <= at_first, (at_first, open_now, count())
print((after - before) // 200)
"""


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_tracers_that_are_gone_leave_nothing(how, kept):
    server, delivered = kept
    each = int(quiet(run(DROPPED, server, how)))
    assert each < 2000  # bytes, of some tens of thousands; on a busy machine some are on their way
    assert delivered() == ["a"] * 300


SHARED = """
import sys, time
from ollamatrace import Tracer
tracer = Tracer(sys.argv[1])
print("ready", flush=True)
input()
for n in range(1000):
    with tracer.span(f"{sys.argv[2]} {n}"):
        time.sleep(0.0005)
"""


def test_eight_processes_at_one_store(tmp_path):
    processes = [start(SHARED, f"sqlite:///{tmp_path}/x.db", n) for n in range(8)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=DEADLINE_S)[1] == ""
        assert process.returncode == 0
    assert names(tmp_path / "x.db") == sorted(f"{k} {n}" for k in range(8) for n in range(1000))
