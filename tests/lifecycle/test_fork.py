"""`os.fork` in the middle of everything."""

from __future__ import annotations

from tests.lifecycle.programs import names, quiet, run

UNDER_LOAD = """
import os, sys, threading
from ollamatrace import Tracer, span, set_default

tracer = Tracer(sys.argv[1])
set_default(tracer)
stop = threading.Event()
made = [0, 0, 0, 0]

def produce(thread):
    while not stop.wait(0.005):
        with span(f"thread {thread} {made[thread]}"):
            made[thread] += 1

def trace_and_leave(name, number, generations):
    for n in range(5):
        with span(f"{name} {n}"):
            pass
    if generations:
        child = os.fork()
        if child == 0:
            trace_and_leave(f"{name} child", number + 1, generations - 1)
        assert os.waitpid(child, 0)[1] == 0
    if number % 2:
        sys.exit()
    assert not tracer.flush(20).pending
    os._exit(0)

threads = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
open_span = span("open").__enter__()
children = []
for number in range(20):
    child = os.fork()
    if child == 0:
        open_span.__exit__(None, None, None)  # it is the parent's
        trace_and_leave(f"child {number}", number, 2 if number < 4 else 0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0, child
open_span.__exit__(None, None, None)
stop.set()
for thread in threads:
    thread.join()
print(*made)
"""


def test_parents_and_children_deliver_what_is_theirs(kept):
    server, delivered = kept
    made = quiet(run(UNDER_LOAD, server)).split()
    expected = ["open", *(f"thread {n} {k}" for n in range(4) for k in range(int(made[n])))]
    for number in range(20):
        line = [f"child {number}", f"child {number} child", f"child {number} child child"]
        expected += [f"{name} {n}" for name in line[: 3 if number < 4 else 1] for n in range(5)]
    assert delivered() == sorted(expected)


FORKING_THREADS = """
import os, sys, threading
from ollamatrace import Tracer

tracers = [Tracer(f"sqlite:///{sys.argv[1]}/{n}.db") for n in range(8)]

def fork(thread):
    for n in range(25):
        for tracer in tracers:
            with tracer.span(f"{thread} {n}"):
                pass
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

threads = [threading.Thread(target=fork, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_fork_at_the_same_time(tmp_path):
    quiet(run(FORKING_THREADS, tmp_path))
    expected = sorted(f"{thread} {n}" for thread in range(4) for n in range(25))
    assert [names(path) for path in sorted(tmp_path.glob("*.db"))] == [expected] * 8


TURNS = """
import os, threading, time
from ollamatrace.store.fork import before_fork

class File:
    def hold(self):
        holder = threading.get_ident()
        def release():
            time.sleep(0.001)
            assert threading.get_ident() == holder
        return release

files = [File() for _ in range(3)]
for file in files:
    before_fork(file, File.hold)

def fork():
    for _ in range(10):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

threads = [threading.Thread(target=fork) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_who_forks_releases_what_it_has_held_itself():
    quiet(run(TURNS))
