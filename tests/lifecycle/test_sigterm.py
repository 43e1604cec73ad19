"""SIGTERM in programs that want their spans delivered first."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from ollamatrace import ConfigError, flush_on_sigterm
from tests.lifecycle.programs import DEADLINE_S, SIGNALLED_IN, names, quiet, run, spans, start

SLOW = """
import asyncio, os, signal, sys, threading, time
from ollamatrace import Delivery, Tracer, flush_on_sigterm

tracer = Tracer(sys.argv[1], delivery=Delivery(delay_s=3600))  # nothing leaves by itself
with tracer.span("first"):
    pass
tracer.flush()

def trace():
    with tracer.span("ended"):
        pass
"""
WAIT = """
print("ready", flush=True)
time.sleep(3600)
"""


def terminated(code, *arguments):
    """Run a program that says when it is ready; send it SIGTERM then."""
    process = start(code, *arguments)
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    process.terminate()
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert errors == ""
    return process.returncode, output


def test_what_ended_is_delivered_and_the_signal_kills(tmp_path):
    code = SLOW + "flush_on_sigterm()\ntrace()\nopen = tracer.span('open').__enter__()" + WAIT
    assert terminated(code, f"sqlite:///{tmp_path}/x.db") == (-signal.SIGTERM, "")
    ends = {span.name: span.end_reason for span in spans(tmp_path / "x.db")}
    assert ends == {"first": "returned", "ended": "returned", "open": "abandoned"}


def test_without_it_the_last_moment_is_lost(tmp_path):
    assert terminated(SLOW + "trace()" + WAIT, f"sqlite:///{tmp_path}/x.db")[0] == -signal.SIGTERM
    assert names(tmp_path / "x.db") == ["first"]


def test_the_handler_that_was_there_has_the_last_word(tmp_path):
    code = """
import os, signal
def leave(number, frame):
    print(number, frame is not None, flush=True)
    os._exit(5)
signal.signal(signal.SIGTERM, leave)
"""
    code += SLOW + "flush_on_sigterm()\ntrace()" + WAIT
    assert terminated(code, f"sqlite:///{tmp_path}/x.db") == (5, f"{signal.SIGTERM:d} True\n")
    assert names(tmp_path / "x.db") == ["ended", "first"]


@pytest.mark.parametrize("handler", ["lambda *_: heard.set()", "signal.SIG_IGN"])
def test_a_program_that_goes_on_goes_on(handler, tmp_path):
    code = (
        SLOW
        + f"""
heard = threading.Event()
signal.signal(signal.SIGTERM, {handler})
flush_on_sigterm()
with tracer.span("goes on"):
    trace()
    os.kill(os.getpid(), signal.SIGTERM)
    print(tracer.stats().delivered, heard.is_set())
"""
    )
    done = quiet(run(code, f"sqlite:///{tmp_path}/x.db"))
    assert done == f"2 {'lambda' in handler}\n"
    ends = {span.name: span.end_reason for span in spans(tmp_path / "x.db")}
    assert ends == {"first": "returned", "ended": "returned", "goes on": "returned"}


def test_twice_is_once(tmp_path):
    code = (
        SLOW
        + """
flushed = []
flush_on_sigterm(1)
flush_on_sigterm()
assert signal.getsignal(signal.SIGTERM).before == signal.SIG_DFL
trace()
"""
    )
    assert terminated(code + WAIT, f"sqlite:///{tmp_path}/x.db")[0] == -signal.SIGTERM
    assert names(tmp_path / "x.db") == ["ended", "first"]


def test_around_a_handler_that_calls_ours(tmp_path):
    code = (
        SLOW
        + """
flush_on_sigterm()
ours = signal.getsignal(signal.SIGTERM)
def theirs(number, frame):
    print("theirs", flush=True)
    ours(number, frame)
signal.signal(signal.SIGTERM, theirs)
flush_on_sigterm()
trace()
"""
    )
    ended = terminated(code + WAIT, f"sqlite:///{tmp_path}/x.db")
    assert ended == (-signal.SIGTERM, "theirs\n")
    assert names(tmp_path / "x.db") == ["ended", "first"]


def test_in_an_event_loop(tmp_path):
    code = (
        SLOW
        + """
async def main():
    async with tracer.span("open"):
        trace()
        print("ready", flush=True)
        await asyncio.sleep(3600)
flush_on_sigterm()
asyncio.run(main())
"""
    )
    assert terminated(code, f"sqlite:///{tmp_path}/x.db") == (-signal.SIGTERM, "")
    assert names(tmp_path / "x.db") == ["ended", "first", "open"]


def test_a_loop_that_has_a_handler_of_its_own_replaces_it(tmp_path):
    code = (
        SLOW
        + """
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with tracer.span("goes on"):
        trace()
        print("ready", flush=True)
        await stop.wait()
flush_on_sigterm()
asyncio.run(main())
"""
    )
    assert terminated(code, f"sqlite:///{tmp_path}/x.db") == (0, "")
    ends = {span.name: span.end_reason for span in spans(tmp_path / "x.db")}
    assert ends == {"first": "returned", "ended": "returned", "goes on": "returned"}


@pytest.fixture
def hanging():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


PATIENT = """
import signal, sys, time
from ollamatrace import Tracer, flush_on_sigterm
tracer = Tracer(sys.argv[1])
flush_on_sigterm(float(sys.argv[2]))
with tracer.span("a"):
    pass
"""


def test_no_longer_than_its_timeout(hanging):
    assert terminated(PATIENT + WAIT, hanging, 0.1) == (-signal.SIGTERM, "")


def test_a_second_one_ends_it_at_once(hanging):
    code = SIGNALLED_IN + PATIENT + "signalled_in('leave', signal.SIGTERM)"
    assert terminated(code + WAIT, hanging, 3600) == (-signal.SIGTERM, "")


def test_while_flush_waits(hanging):
    code = SIGNALLED_IN + PATIENT + "signalled_in('flush', signal.SIGTERM)\ntracer.flush(3600)"
    done = run(code, hanging, 0.1)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")


def test_children_of_a_pool_that_is_terminated(tmp_path):
    code = (
        SLOW
        + """
import multiprocessing

def work(n):
    with tracer.span(f"task {n}"):
        pass

flush_on_sigterm()
with multiprocessing.get_context("fork").Pool(2) as pool:  # its end terminates the children
    pool.map(work, range(12), chunksize=1)
"""
    )
    quiet(run(code, f"sqlite:///{tmp_path}/x.db"))
    assert names(tmp_path / "x.db") == sorted(["first", *(f"task {n}" for n in range(12))])


def test_where_it_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="timeout must be greater than 0"):
        flush_on_sigterm(0)
    raised = []

    def elsewhere():
        with pytest.raises(ConfigError, match="main thread only") as caught:
            flush_on_sigterm()
        raised.append(caught)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert raised
