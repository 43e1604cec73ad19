"""uvicorn, whose worker processes end by the signal that they were sent."""

from __future__ import annotations

import signal

import pytest

from tests.lifecycle.service import CALL, Service

pytestmark = pytest.mark.lifecycle

APP = (
    CALL
    + """
import os
import ollama
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from ollamatrace import Delivery, TracedClient, Tracer
from ollamatrace.middleware import TraceMiddleware

# What ended leaves when somebody asks for it, at the end of the process.
tracer = Tracer(os.environ["TRACES"], delivery=Delivery(delay_s=3600))
client = TracedClient(ollama.AsyncClient(os.environ["MODEL"]), tracer=tracer)
app = FastAPI()
app.add_middleware(TraceMiddleware)

@app.get("/")
async def answer(name: str):
    with tracer.span(name):
        await client.chat(**CALL)
    return PlainTextResponse(str(os.getpid()))
"""
)


def test_every_request_that_was_answered_has_its_trace(kept, replay, tmp_path):
    server, delivered = kept
    model, _ = replay("ollama-native/chat")
    (tmp_path / "program.py").write_text(APP)
    command = ["-m", "uvicorn", "--port", "{port}", "--workers", "2", "program:app"]
    with Service(tmp_path, command, TRACES=server, MODEL=model.url) as service:
        service.ask_often()
        service.ask_often(meanwhile=lambda: service.signal(signal.SIGHUP))
        service.ask_often()
        assert service.terminate() == 0, service.log()
    names = [name for name in delivered() if name.startswith("request")]
    assert len(names) == len(set(names))
    assert set(service.answered) <= set(names)
    assert "ollamatrace" not in service.log()
