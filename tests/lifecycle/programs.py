"""Programs that run to their end in a process of their own, and what they left."""

from __future__ import annotations

import os
import subprocess
import sys

from ollamatrace.store import Store

DEADLINE_S = 60
_FORKING = (
    "ignore:This process:DeprecationWarning"  # 3.12 says so where a program with threads forks
)

SIGNALLED_IN = """
import signal, sys, threading, time

def signalled_in(function, number):
    def stack(frame):
        while frame is not None:
            yield frame.f_code.co_name
            frame = frame.f_back

    def send():
        main = threading.main_thread().ident
        while not {function, "wait_for"} <= set(stack(sys._current_frames()[main])):
            time.sleep(0.001)
        signal.pthread_kill(main, number)

    threading.Thread(target=send, daemon=True).start()
"""
"""For programs: get a signal, on the main thread, as soon as that waits in a function."""


def start(code, *arguments, options=(), **environment):
    """Start a program given as text; the names of spans and such are its arguments."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", _FORKING, *options, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def run(code, *arguments, **settings):
    """Run it to its end."""
    process = start(code, *arguments, **settings)
    try:
        output, errors = process.communicate(timeout=DEADLINE_S)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def quiet(done):
    """It ended well and said nothing on stderr; what it printed."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def spans(path):
    """All spans of an embedded store."""
    return [span for trace in Store(path).search(limit=1_000_000) for span in trace.spans]


def names(path):
    """Their names, sorted: as often as they are there."""
    return sorted(span.name for span in spans(path))


def sent_names(server):
    """The names of all spans that a server has, sorted."""
    return sorted(span["name"] for trace in server.spans.values() for span in trace.values())


def send_rest(server):
    """What programs could not deliver before their end, the next one does."""
    quiet(run(_SEND_REST, server, DEADLINE_S))


_SEND_REST = """
import sys, time
from ollamatrace import Tracer
from ollamatrace.settings import default_spool

tracer = Tracer(sys.argv[1])
tracer.flush()
deadline = time.monotonic() + float(sys.argv[2])
while any(default_spool().glob("*/*.jsonl")):
    assert time.monotonic() < deadline
    time.sleep(0.01)
"""
