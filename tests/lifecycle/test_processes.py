"""Forked and spawned processes, and what the garbage collector does in the middle of anything."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from ollamatrace import Tracer, set_default, span, sync

DEADLINE_S = 60
FULL = (
    "more spans than Delivery(max_spans=, max_bytes=) lets wait; new ones are dropped and counted"
)


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def test_reading_in_a_child_while_another_thread_of_the_parent_reads(tmp_path):
    tracer = Tracer(f"sqlite:///{tmp_path}/x.db")
    set_default(tracer)
    with span("a"):
        pass
    tracer.flush()
    stop = threading.Event()

    def read():
        while not stop.is_set():
            sync.search_traces(limit=1)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if len(sync.search_traces(limit=1)) == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        reader.join()


def test_a_stream_collected_inside_a_context_variable(tmp_path):
    """CPython 3.11 crashes if a variable is set in the middle of setting another one."""
    code = """
import contextvars, gc
from ollamatrace.testing import MemoryTracer

tracer = MemoryTracer()
variables = [contextvars.ContextVar(f"v{n}") for n in range(40)]

class Dropped:
    def __init__(self):
        self.me = self
        self.span = tracer.span("stream")
        self.span.begin()

    def __del__(self):
        self.span.abandon()

gc.set_threshold(3, 2, 2)
for n in range(5000):
    Dropped()
    for variable in variables:
        variable.set(n)
    if n % 500 == 0:
        tracer.finished()
print("survived")
"""
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


def test_busy_threads_at_the_end(tmp_path):
    code = """
import sys, threading
from ollamatrace import Tracer

tracer = Tracer("sqlite:///" + sys.argv[1])

def work():
    while True:
        with tracer.span("busy"):
            pass

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
for _ in range(2000):
    with tracer.span("main"):
        pass
"""
    for n in range(3):
        done = run(code, tmp_path / f"{n}.db")
        assert done.returncode == 0
        assert set(done.stderr.splitlines()) <= {FULL}  # they may be quicker than the store
