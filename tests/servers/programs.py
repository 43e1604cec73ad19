"""Traced programs of their own: their whole life is part of what is tested."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BEGIN = """
import multiprocessing, os, sys, openai, ollamatrace
from ollamatrace import TracedClient, Tracer, span
SERVER, EXPERIMENT, MODEL_SERVER = sys.argv[1:]
tracer = Tracer(SERVER, experiment=EXPERIMENT)
client = TracedClient(openai.OpenAI(base_url=MODEL_SERVER + "/v1", api_key="x"), tracer=tracer)
MESSAGES = [
    {"role": "system", "content": "You are terse."}, {"role": "user", "content": "Hi there"}
]
def ask():
    return client.chat.completions.create(model="llama3.2:1b", messages=MESSAGES)
def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def started(code, server, experiment, model_server):
    """Run a program; it is killed when the block is left, if it still runs then.

    It has ``tracer``, ``client``, ``ask()``, and ``ready()``, which waits for a line.
    """
    arguments = [server.url, experiment, model_server.url]
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN + code, *arguments],
        cwd=ROOT,
        env=dict(os.environ),  # the tests' own is clean, and names the folder of what waits
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(code, server, experiment, model_server, timeout=60):
    """Run a program to its end; it must print nothing to stderr."""
    with started(code, server, experiment, model_server) as process:
        out, err = process.communicate(timeout=timeout)
        assert (process.returncode, err) == (0, "")
        return out


def wait_until_ready(process):
    line = process.stdout.readline()
    assert line == "ready\n", line + process.communicate(timeout=10)[1]
