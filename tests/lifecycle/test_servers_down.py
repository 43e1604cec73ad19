"""The end of a program whose server refuses, or takes connections and never answers."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.destinations.mlflow.loopback import Loopback
from tests.lifecycle.programs import DEADLINE_S, SIGNALLED_IN, run, send_rest, sent_names, start

GENEROUS_S = 20
"""The promise is 5 s from the last line on; starting Python on a busy machine comes on top."""

PROGRAM = """
import os, signal, sys, time
from ollamatrace import Tracer
tracer = Tracer(sys.argv[1])
for n in range(20):
    with tracer.span(str(n)):
        pass
"""
EXPECTED = sorted(str(n) for n in range(20))
TOLD = "spans wait and are sent again"


class Away:
    """An address where nobody answers, until a test has somebody there."""

    def __init__(self, *, hangs):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.refuses = not hangs
        if self.refuses:
            self._listener.close()

    def delivered_later(self):
        """What the next program brings there when the server is well again."""
        self._listener.close()
        with Loopback(port=self._port) as server:
            send_rest(self.url)
            return sent_names(server)

    def close(self):
        self._listener.close()


@pytest.fixture(params=["refuses", "hangs"])
def away(request):
    server = Away(hangs=request.param == "hangs")
    yield server
    server.close()


@pytest.fixture
def hanging():
    server = Away(hangs=True)
    yield server
    server.close()


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('mine')", 1),
        ("tracer.flush(0.5); os._exit(7)", 7),
    ],
    ids=["end", "sys.exit", "error", "os._exit"],
)
def test_a_program_leaves_soon_and_the_next_one_delivers(ending, code, away):
    began = time.monotonic()
    done = run(PROGRAM + ending, away.url)
    assert time.monotonic() - began < GENEROUS_S
    assert done.returncode == code
    told = [line for line in done.stderr.splitlines() if TOLD in line]
    assert len(told) == away.refuses
    if "raise" in ending:
        assert done.stderr.endswith("ValueError: mine\n" + "".join(f"{one}\n" for one in told))
    else:
        assert done.stderr.splitlines() == told
    assert away.delivered_later() == EXPECTED


INTERRUPTED = (
    SIGNALLED_IN
    + """
import ollamatrace.pipeline.worker
ollamatrace.pipeline.worker._EXIT_S = 3600.0  # who waits for the end of that, does not come back
signalled_in(sys.argv[2], signal.SIGINT)
"""
)


def test_a_second_ctrl_c_leaves_at_once(hanging):
    # CPython forgets that Ctrl-C ended a program if a thread calls exec() later, as imports do.
    waiting = """
while not tracer.pipeline._lanes[0]._sender._attempts._prepared:
    time.sleep(0.001)
print("ready", flush=True)
time.sleep(3600)
"""
    process = start(PROGRAM + INTERRUPTED + waiting, hanging.url, "leave")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGINT, errors
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
    assert hanging.delivered_later() == EXPECTED


def test_ctrl_c_while_flush_waits(hanging):
    caught = """
try:
    tracer.flush(3600)
except KeyboardInterrupt:
    print(tracer.stats().pending + tracer.stats().spooled)
ollamatrace.pipeline.worker._EXIT_S = 0.1
"""
    done = run(PROGRAM + INTERRUPTED + caught, hanging.url, "flush")
    assert (done.returncode, done.stdout, done.stderr) == (0, "20\n", "")
    assert hanging.delivered_later() == EXPECTED


def test_sigterm_ends_a_program_as_without_a_tracer(away):
    waiting = """
while tracer.stats().spooled < 20:
    time.sleep(0.001)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
print('ready', flush=True)
time.sleep(3600)
"""
    process = start(PROGRAM + waiting, away.url)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGTERM
    assert [line for line in errors.splitlines() if TOLD not in line] == []
    assert away.delivered_later() == EXPECTED
