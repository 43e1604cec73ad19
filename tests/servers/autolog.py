"""Runs in MLflow's own environment: makes the golden calls traced by `mlflow.openai.autolog`.

Arguments: the MLflow server, an experiment, the model's server. Prints the id of each call's
trace, and what the call raised.
"""

from __future__ import annotations

import json
import sys

import mlflow

from tests.servers import golden

server, experiment, model_server = sys.argv[1:]
mlflow.set_tracking_uri(server)
mlflow.set_experiment(experiment)
mlflow.openai.autolog()
made = {}
for name in golden.names():
    raised = golden.call(name, lambda client: client, model_server)
    trace_id = mlflow.get_last_active_trace_id()
    is_new = all(trace_id != one["trace_id"] for one in made.values())
    made[name] = {"raised": raised, "trace_id": trace_id if is_new else None}
mlflow.flush_trace_async_logging(terminate=True)
sys.stdout.write(json.dumps(made) + "\n")
