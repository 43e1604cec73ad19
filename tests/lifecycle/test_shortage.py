"""No threads, no files, no folder: the program goes on, with one warning, and nothing uncounted."""

from __future__ import annotations

import pytest

from tests.lifecycle.programs import names, quiet, run, send_rest, sent_names

NO_THREADS = """
import resource, sys, threading
from ollamatrace import Tracer
tracer = Tracer(sys.argv[1])
# The system refuses: a thread's stack finds no room in what the process may have.
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
threading.stack_size(1 << 40)
try:
    threading.Thread(target=print).start()
except RuntimeError as error:
    print(error)
for n in range(1000):
    with tracer.span(str(n)):
        pass
report = tracer.flush()
print(threading.active_count(), report.accepted, report.pending, report.dropped)
"""
EXPECTED = sorted(map(str, range(1000)))


def test_without_threads_the_program_stores_its_spans_itself(tmp_path):
    done = run(NO_THREADS, f"sqlite:///{tmp_path}/x.db")
    assert done.stdout == "can't start new thread\n1 1000 0 0\n"
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "no thread can be started" in done.stderr
    assert names(tmp_path / "x.db") == EXPECTED


def test_without_threads_spans_wait_for_the_next_program(mlflow):
    done = run(NO_THREADS, mlflow.url)
    assert done.stdout == "can't start new thread\n1 1000 0 0\n"
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "no thread can be started" in done.stderr
    send_rest(mlflow.url)
    assert sent_names(mlflow) == EXPECTED


NO_FILES = """
import os, resource, sys
from ollamatrace import Tracer
tracer = Tracer(sys.argv[1])
with tracer.span("before"):
    pass
tracer.flush()
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
if sys.argv[2] == "none":
    tracer.close()
    tracer = Tracer(sys.argv[1])
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
with tracer.span("short"):
    pass
report = tracer.flush(1)
print(report.accepted, report.dropped)
while held:
    os.close(held.pop())
if sys.argv[1].startswith("http"):
    tracer.flush(30)  # the end would not wait for a server that was away so long
"""


def test_few_files_are_enough(kept):
    server, delivered = kept
    assert quiet(run(NO_FILES, server, "few")) == "2 0\n"
    assert delivered() == ["before", "short"]


def test_where_no_file_can_be_opened_spans_wait(kept):
    server, delivered = kept
    done = run(NO_FILES, server, "none")
    assert (done.returncode, done.stdout) == (0, "1 0\n")
    assert done.stderr
    assert delivered() == ["before", "short"]


NO_FOLDER = """
import sys
from ollamatrace import Tracer
warnings = []
tracer = Tracer(sys.argv[1] or None, on_warning=warnings.append)
for n in range(10):
    with tracer.span(str(n)):
        pass
report = tracer.flush(float(sys.argv[2]))
print(report.accepted, report.pending, report.delivered, len(warnings))
"""
NO_HOME = pytest.mark.parametrize(
    "variables",
    [{"XDG_DATA_HOME": "/proc/nowhere"}, {"XDG_DATA_HOME": "", "HOME": "/proc/nowhere"}],
    ids=["data", "home"],
)


@NO_HOME
def test_without_a_folder_spans_wait_in_memory(variables):
    done = run(NO_FOLDER, "", 0.5, **variables)
    assert (done.returncode, done.stdout) == (0, "10 10 0 1\n")
    assert done.stderr.count("\n") == 1
    assert "they wait in memory" in done.stderr


@NO_HOME
def test_without_a_folder_a_server_gets_its_spans_from_memory(variables, mlflow):
    done = run(NO_FOLDER, mlflow.url, 60, **variables)
    assert (done.returncode, done.stdout) == (0, "10 0 10 1\n")
    assert done.stderr.count("\n") == 1
    assert "waits in memory only" in done.stderr
    assert sent_names(mlflow) == sorted(map(str, range(10)))
