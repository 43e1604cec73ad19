"""Celery: children that are forked by billiard, recycled, and leave by `os._exit`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.lifecycle.programs import DEADLINE_S
from tests.lifecycle.service import CALL, until

pytestmark = pytest.mark.lifecycle

APP = (
    CALL
    + """
import os, sys
import ollama
from celery import Celery
from ollamatrace import Delivery, TracedClient, Tracer

app = Celery("program", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
app.conf.broker_connection_retry_on_startup = True
# What ended leaves when somebody asks for it, at the end of the child.
tracer = Tracer(os.environ["TRACES"], delivery=Delivery(delay_s=3600))

@app.task
def ask(n):
    client = TracedClient(ollama.Client(os.environ["MODEL"]), tracer=tracer)
    with tracer.span(f"task {n}"):
        client.chat(**CALL)
    open(f"done {n}", "w").close()

if __name__ == "__main__":
    for n in range(8):
        ask.delay(n)
"""
)


@pytest.mark.parametrize(
    ("pool", "kept"),
    [
        (["--pool=prefork", "--max-tasks-per-child=1"], "embedded"),
        (["--pool=prefork", "--max-tasks-per-child=1"], "mlflow"),
        (["--pool=prefork"], "embedded"),
        (["--pool=threads"], "embedded"),
    ],
    ids=["recycled", "recycled-mlflow", "prefork", "threads"],
    indirect=["kept"],
)
def test_every_task_has_its_trace(pool, kept, replay, tmp_path):
    server, delivered = kept
    model, _ = replay("ollama-native/chat")
    (tmp_path / "program.py").write_text(APP)
    (tmp_path / "queue").mkdir()
    run = {"cwd": tmp_path, "env": {**os.environ, "TRACES": server, "MODEL": model.url}}
    subprocess.run([sys.executable, "program.py"], check=True, timeout=DEADLINE_S, **run)
    command = [sys.executable, "-m", "celery", "-A", "program", "worker", "--concurrency=2", *pool]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **run
        )
    try:
        until(lambda: len(list(tmp_path.glob("done *"))) == 8, "tasks are not done")
        worker.terminate()
        assert worker.wait(timeout=DEADLINE_S) == 0
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    assert delivered() == sorted([*(f"task {n}" for n in range(8)), *["Chat"] * 8])
    assert "ollamatrace" not in (tmp_path / "log").read_text()
