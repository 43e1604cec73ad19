"""What every test gets: a clean environment, failures of ours raised, no tracer left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess

import pytest

from ollamatrace import guard, set_default
from ollamatrace.cli.replay import ReplayServer
from ollamatrace.clients import doubled
from ollamatrace.pipeline.worker import worker
from ollamatrace.testing import MemoryTracer
from ollamatrace.tracer import registry
from tests.destinations.mlflow.loopback import Loopback
from tests.exchanges import load

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is where a shell put us behind, and so it would be for the programs that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith(("OLLAMATRACE_", "MLFLOW_", "OPENAI_", "OLLAMA_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OLLAMATRACE_STRICT", "1")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    registry._try_again_at = 0.0
    guard._last_told.clear()  # warnings are told once a minute: here, once a test
    doubled._named.clear()  # and this one once a process
    yield
    set_default(None)
    for ref in [*registry._live, lambda: registry._environment]:
        if (tracer := ref()) is not None:
            tracer.close(timeout=2)
    for pipeline in worker._pipelines:  # what could not be delivered would be tried for ever
        pipeline.give_up()
        worker.remove(pipeline)


@pytest.fixture
def tracer():
    with MemoryTracer() as tracer:
        yield tracer


@pytest.fixture
def replay():
    """Start a server that plays a recorded capture back, as fast as it can unless told."""
    with contextlib.ExitStack() as stack:

        def start(name, pace=0.0):
            capture = load(name)
            return stack.enter_context(ReplayServer(capture["exchanges"], pace=pace)), capture

        yield start


@pytest.fixture
def certified(tmp_path):
    """A server whose certificate is its own; its address and the file with certificate and key."""
    file = tmp_path / "server.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {tmp_path}/key.pem -days 2 -out {file} "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (tmp_path / "key.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Loopback(tls=context) as server:
        yield server.url, file
