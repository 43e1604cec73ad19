"""Traced programs that leave something behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

KILLED = """
import os, signal, sys
from ollamatrace import Tracer, update_trace
tracer = Tracer(sys.argv[1], experiment=sys.argv[2])
for number in range(int(sys.argv[3])):
    with tracer.span(f"job {number}"):
        pass
update_trace(tags={"a": "b"})
report = tracer.flush(timeout=0.5)
while report.pending:
    report = tracer.flush(timeout=0.5)
assert report.spooled == report.accepted, report
print("spooled", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def start(server, experiment="Tests", count=3):
    """Run a program whose server is away until its spans are in a file; it ends by SIGKILL."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, server, experiment, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
        text=True,
    )
    assert process.stdout.readline() == "spooled\n"
    return process


def kill(process):
    process.communicate("\n", timeout=60)
    assert process.returncode == -signal.SIGKILL


def leave_behind(server, experiment="Tests", count=3):
    """Have a killed program leave spans in the spool."""
    kill(start(server, experiment, count))


def run(code, *arguments):
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        env=dict(os.environ),
        text=True,
        timeout=60,
    )
