"""Runs in the environment of the other tracers: makes a call that autolog records, and we.

Arguments: the MLflow server, an experiment, the model's server, and ``connected`` or ``apart``.
Prints what we warned of.
"""

from __future__ import annotations

import json
import sys

import mlflow

from ollamatrace import TracedClient, Tracer, otel
from tests.servers import golden

server, experiment, model_server, how = sys.argv[1:]
mlflow.set_tracking_uri(server)
mlflow.set_experiment(experiment)
mlflow.openai.autolog()
if how == "connected":
    otel.connect()
warnings = []
with Tracer(server, experiment=experiment, on_warning=warnings.append) as tracer:
    golden.call("chat_sync", lambda client: TracedClient(client, tracer=tracer), model_server)
    mlflow.flush_trace_async_logging()
    report = tracer.flush(timeout=30)
sys.stdout.write("\n" + json.dumps({"warnings": warnings, "delivered": report.delivered}) + "\n")
