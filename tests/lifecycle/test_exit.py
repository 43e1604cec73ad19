"""The end of the interpreter neither hangs nor loses what can be kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ollamatrace.store import Store

DEADLINE_S = 20


def run(code, *arguments, **environment):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, **environment},
    )
    return done, time.monotonic() - started


def stored(path):
    return {span.name: span for trace in Store(path).search(limit=10_000) for span in trace.spans}


SPANS = """
import sys
from ollamatrace import Tracer
tracer = Tracer("sqlite:///" + sys.argv[1])
for n in range(3000):
    with tracer.span(str(n)):
        pass
"""


def test_spans_of_a_script_that_just_ends_are_kept(tmp_path):
    done, _ = run(SPANS, tmp_path / "x.db")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(stored(tmp_path / "x.db")) == 3000


@pytest.mark.parametrize(
    ("ending", "code"), [("sys.exit(3)", 3), ("raise ValueError('mine')", 1), ("1/0", 1)]
)
def test_exit_code_and_error_are_the_programs_own(ending, code, tmp_path):
    done, _ = run(f"{SPANS}\n{ending}", tmp_path / "x.db")
    assert done.returncode == code
    assert "ollamatrace" not in done.stderr
    assert len(stored(tmp_path / "x.db")) == 3000


def test_what_is_open_is_kept_as_abandoned(tmp_path):
    code = """
import sys, threading
from ollamatrace import Tracer
tracer = Tracer("sqlite:///" + sys.argv[1])
span = tracer.span("open").__enter__()
"""
    done, _ = run(code, tmp_path / "x.db")
    assert (done.returncode, done.stderr) == (0, "")
    assert stored(tmp_path / "x.db")["open"].end_reason == "abandoned"


def test_an_open_stream_is_kept_as_abandoned(tmp_path, replay):
    server, _ = replay("ollama-native/chat_stream")
    code = """
import sys, ollama, ollamatrace
client = ollamatrace.TracedClient(ollama.Client(sys.argv[2]), server="sqlite:///" + sys.argv[1])
stream = client.chat(
    model="gemma3:270m", messages=[{"role": "user", "content": "Hi"}], stream=True
)
next(stream)
"""
    done, _ = run(code, tmp_path / "x.db", server.url)
    assert done.returncode == 0, done.stderr
    record = stored(tmp_path / "x.db")["Chat"]
    assert record.end_reason == "abandoned"
    assert record.timing.chunks == 1
    assert record.outputs["message"]["content"] == " The"


def test_spans_that_end_after_us_are_kept(tmp_path):
    code = """
import atexit, sys
def late():
    with tracer.span("late"):
        pass
atexit.register(late)  # runs after ours, which is registered by the first span
from ollamatrace import Tracer
tracer = Tracer("sqlite:///" + sys.argv[1])
with tracer.span("early"):
    pass
"""
    done, _ = run(code, tmp_path / "x.db")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(stored(tmp_path / "x.db")) == {"early", "late"}


def test_a_store_that_cannot_be_written_does_not_hold_up_the_exit(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    done, took = run(SPANS + "\nsys.exit(4)", tmp_path / "file" / "x.db")
    assert done.returncode == 4
    assert done.stderr.count("takes no spans now") == 1
    assert len(done.stderr.splitlines()) == 1
    assert took < 5


def test_ctrl_c_at_the_end_leaves_at_once(tmp_path):
    code = """
import sqlite3, sys
from ollamatrace import Tracer
path = sys.argv[1]
tracer = Tracer("sqlite:///" + path)
with tracer.span("stored"):
    pass
tracer.flush()
lock = sqlite3.connect(path)
lock.execute("BEGIN IMMEDIATE")
with tracer.span("cannot be stored"):
    pass
print("ready", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in errors or "KeyboardInterrupt" in errors


def test_a_killed_process_loses_no_more_than_the_last_moment(tmp_path):
    code = """
import sys, time
from ollamatrace import Tracer
tracer = Tracer("sqlite:///" + sys.argv[1])
for n in range(100):
    with tracer.span(str(n)):
        pass
print("ended", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ended\n"
    deadline = time.monotonic() + DEADLINE_S
    while len(stored(tmp_path / "x.db")) < 100:
        assert time.monotonic() < deadline
    process.kill()
    process.communicate()
    assert len(stored(tmp_path / "x.db")) == 100


def test_an_event_loop_that_is_closed_does_not_matter(tmp_path):
    code = """
import asyncio, sys
from ollamatrace import Tracer
tracer = Tracer("sqlite:///" + sys.argv[1])
async def main(name):
    async with tracer.span(name):
        await asyncio.sleep(0)
asyncio.run(main("one"))
asyncio.run(main("two"))
"""
    done, _ = run(code, tmp_path / "x.db")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(stored(tmp_path / "x.db")) == {"one", "two"}
