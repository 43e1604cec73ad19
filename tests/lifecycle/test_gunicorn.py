"""gunicorn, whose workers are forked, replaced and killed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.lifecycle.service import CALL, Service, until

pytestmark = pytest.mark.lifecycle

APP = (
    CALL
    + """
import os
from urllib.parse import parse_qs
import ollama
from ollamatrace import TracedClient, Tracer

tracer = Tracer(os.environ["TRACES"])
client = TracedClient(ollama.Client(os.environ["MODEL"]), tracer=tracer)

def ask(name):
    with tracer.span(name):
        client.chat(**CALL)

with tracer.span("import"):  # no call: the program must not share its connections with forks
    pass

def app(environ, start_response):
    ask(parse_qs(environ["QUERY_STRING"])["name"][0])
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["-k", "sync", "--preload"], "embedded"),
        (["-k", "sync"], "mlflow"),
        (["-k", "gthread", "--threads", "3", "--preload"], "mlflow"),
        (["-k", "gthread", "--threads", "3"], "embedded"),
    ],
    ids=["sync-preload", "sync", "gthread-preload", "gthread"],
    indirect=["kept"],
)
def test_every_request_that_was_answered_has_its_trace(options, kept, replay, tmp_path):
    server, delivered = kept
    model, _ = replay("ollama-native/chat")
    (tmp_path / "program.py").write_text(APP)
    command = ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "-w", "2", *options]
    with Service(tmp_path, [*command, "program:app"], TRACES=server, MODEL=model.url) as service:
        service.ask_often()
        service.ask_often(meanwhile=lambda: service.signal(signal.SIGHUP))
        victim = service.ask()
        until(lambda: set(service.answered) <= set(delivered()), "they do not arrive")
        os.kill(victim, signal.SIGKILL)
        until(lambda: service.ask() not in {None, victim}, "nobody answers")
        service.ask_often()
        assert service.terminate() == 0, service.log()
    names = [name for name in delivered() if name.startswith("request")]
    assert len(names) == len(set(names))
    assert set(service.answered) <= set(names)
    assert delivered().count("Chat") == len(names)
    assert "ollamatrace" not in service.log()
