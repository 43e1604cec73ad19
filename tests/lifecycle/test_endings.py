"""Odd ways in which a program ends: nothing is lost, its exit code and stderr are its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lifecycle.programs import DEADLINE_S, names, quiet, run, spans

BEGIN = """
import asyncio, atexit, os, sys, threading, time
from ollamatrace import Tracer
tracer = Tracer("sqlite:///" + sys.argv[1])
"""


@pytest.mark.parametrize("options", [["-X", "dev"], ["-O"], ["-OO"], ["-I"], ["-E", "-s"]])
def test_however_python_is_started(options, tmp_path):
    store = tmp_path / "x.db"
    code = "import sys\nsys.path.insert(0, sys.argv[2])\n" + BEGIN
    quiet(run(code + "with tracer.span('a'): pass", store, sys.path[0], options=options))
    assert names(store) == ["a"]


def test_a_one_liner(tmp_path):
    line = (
        f"import ollamatrace; ollamatrace.Tracer('sqlite:///{tmp_path}/x.db').span('a').__enter__()"
    )
    quiet(run(line))
    assert [(one.name, one.end_reason) for one in spans(tmp_path / "x.db")] == [("a", "abandoned")]


def test_a_program_from_standard_input(tmp_path):
    code = BEGIN + "with tracer.span('a'):\n    pass\n"
    done = subprocess.run(
        [sys.executable, "-", tmp_path / "x.db"],
        input=code,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    quiet(done)
    assert names(tmp_path / "x.db") == ["a"]


def test_sys_exit_inside_a_span(tmp_path):
    done = run(BEGIN + "with tracer.span('a'): sys.exit(3)", tmp_path / "x.db")
    assert (done.returncode, done.stderr) == (3, "")
    (span,) = spans(tmp_path / "x.db")
    assert (span.name, span.end_reason) == ("a", "cancelled")


def test_sys_exit_in_a_task(tmp_path):
    code = (
        BEGIN
        + """
async def main():
    async with tracer.span("a"):
        await asyncio.sleep(0)
        sys.exit(3)
asyncio.run(main())
"""
    )
    done = run(code, tmp_path / "x.db")
    assert (done.returncode, done.stderr) == (3, "")
    assert names(tmp_path / "x.db") == ["a"]


def test_an_error_of_the_programs_own_atexit(tmp_path):
    code = (
        """
import atexit
def fail():
    raise ValueError("mine")
atexit.register(fail)
"""
        + BEGIN
        + """
with tracer.span("a"):
    pass
atexit.register(fail)
"""
    )
    done = run(code, tmp_path / "x.db")
    bare = run(
        "import atexit\ndef fail():\n    raise ValueError('mine')\n" + 2 * "atexit.register(fail)\n"
    )
    assert done.returncode == bare.returncode
    assert done.stderr.count("ValueError: mine") == bare.stderr.count("ValueError: mine") == 2
    assert "ollamatrace" not in done.stderr
    assert names(tmp_path / "x.db") == ["a"]


def test_spans_that_end_after_their_event_loop(tmp_path):
    code = (
        BEGIN
        + """
left = []

class Dropped:
    def __init__(self, name):
        self.span = tracer.span(name)
        self.span.begin()
    def __del__(self):
        self.span.abandon()

async def main():
    left.append(Dropped("collected at exit"))
    dropped = Dropped("collected after the loop")
    kept.append(dropped)
    late = tracer.span("ended at exit")
    late.begin()
    atexit.register(late.end)

kept = []
asyncio.run(main())
kept.clear()
"""
    )
    quiet(run(code, tmp_path / "x.db"))
    assert names(tmp_path / "x.db") == [
        "collected after the loop",
        "collected at exit",
        "ended at exit",
    ]


def test_a_stream_that_is_open_at_exit_in_a_loop_that_was_closed(tmp_path, replay):
    server, _ = replay("ollama-native/chat_stream")
    code = """
import asyncio, sys, ollama, ollamatrace
client = ollamatrace.TracedClient(
    ollama.AsyncClient(sys.argv[2]), server="sqlite:///" + sys.argv[1]
)
async def main():
    stream = await client.chat(
        model="gemma3:270m", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    await anext(stream)
    sys.exit(3)
asyncio.run(main())
"""
    done = run(code, tmp_path / "x.db", server.url)
    assert done.returncode == 3  # asyncio may complain about the SDK's generators, as without us
    (span,) = spans(tmp_path / "x.db")
    assert span.timing.chunks == 1
    assert span.outputs["message"]["content"] == " The"


def test_threads_that_end_after_the_main_one(tmp_path):
    code = (
        BEGIN
        + """
def work():
    threading.main_thread().join()
    with tracer.span("after the main thread"):
        pass
threading.Thread(target=work).start()
"""
    )
    quiet(run(code, tmp_path / "x.db"))
    assert names(tmp_path / "x.db") == ["after the main thread"]


def test_a_daemon_thread_that_never_ends(tmp_path):
    code = (
        BEGIN
        + """
made = threading.Event()
def work():
    while True:
        with tracer.span("daemon"):
            made.set()
        time.sleep(0.0001)  # without a pause it has the interpreter nearly for itself
threading.Thread(target=work, daemon=True).start()
made.wait()
sys.exit(3)
"""
    )
    done = run(code, tmp_path / "x.db")
    assert done.returncode == 3
    assert not done.stderr or "max_spans" in done.stderr  # it may be quicker than the store
    found = spans(tmp_path / "x.db")
    assert len({one.span_id for one in found}) == len(found) > 0


def test_a_recursion_to_the_end_of_the_stack(tmp_path):
    """The first span to end starts the worker, which takes some stack itself."""
    code = (
        BEGIN
        + """
@tracer.trace
def deeper(n):
    return deeper(n + 1)
try:
    deeper(0)
except RecursionError:
    pass
report = tracer.flush(timeout=30)
print(report.accepted == report.delivered > 300)
"""
    )
    done = run(code, tmp_path / "x.db")
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
