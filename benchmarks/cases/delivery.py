"""How many spans a second reach a real MLflow server, which runs on the same machine?

It needs an environment with MLflow: ``--mlflow-venv FOLDER``.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks import payload
from benchmarks.blocks import Effort
from benchmarks.figures import Figure
from benchmarks.runner import MLFLOW, alone
from benchmarks.stub import clients, stub_method
from benchmarks.tracers import Mode, tracer_to
from ollamatrace import TracedClient

_A_SECOND = 400
"""Calls for each second that may be taken."""


def measure(effort: Effort) -> list[Figure]:
    """Both modes, over a new SQLite file."""
    if not os.environ.get(MLFLOW):
        name = "delivery to a real MLflow server"
        return [Figure(name, "/s", None, note="not run, without --mlflow-venv")]
    from tests.servers.mlflow_server import MlflowServer

    stub_method(payload.answer(payload.text(450)))
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer(Path(folder), f"sqlite:///{folder}/mlflow.db", None).start()
        try:
            calls = int(_A_SECOND * effort.seconds)
            return [
                _delivered("MLflow throughput", server.url, calls),
                _delivered("MLflow info", server.url, calls),
            ]
        finally:
            server.stop()


def _delivered(mode: Mode, url: str, calls: int) -> Figure:
    [client, _] = clients()
    with tracer_to(mode, url) as tracer:
        create = TracedClient(client, tracer=tracer).chat.completions.create
        create(**payload.question())
        tracer.flush(60)
        begun = time.perf_counter()
        for number in range(calls):
            create(**payload.question(payload.asked(number)))
        report = tracer.flush(600)
        rate = (report.delivered - 1) / (time.perf_counter() - begun)
    note = f"{report.delivered - 1:,} of {calls:,} calls of 1 kB"
    return Figure(f"delivered to a real server, {mode}", "/s", rate, note=note)


if __name__ == "__main__":
    alone(measure, __doc__)
