"""Runs in MLflow's own environment: calls its client as it is told, line by line, as JSON.

Importing MLflow takes seconds, so one process serves all the tests.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

# What libraries print must not come between the answers.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402


def trace(trace_id):
    """Read one trace as `Trace.to_json` gives it; ``None`` if MLflow's client cannot."""
    found = mlflow.get_trace(trace_id, silent=True)
    return None if found is None else json.loads(found.to_json())


def search(experiment, **conditions):
    """Find the ids of an experiment's traces, oldest first."""
    known = MlflowClient().get_experiment_by_name(experiment)
    if known is None:
        return []
    conditions.setdefault("order_by", ["timestamp_ms ASC"])
    found = mlflow.search_traces(
        locations=[known.experiment_id], return_type="list", include_spans=False, **conditions
    )
    return [one.info.trace_id for one in found]


def traces(experiment, **conditions):
    """Read an experiment's traces whole, oldest first."""
    return [trace(one) for one in search(experiment, **conditions)]


for line in sys.stdin:
    job = json.loads(line)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        os.environ.pop(name, None)
    os.environ.update(job["env"])
    mlflow.set_tracking_uri(job["uri"])
    try:
        answer = {"answer": globals()[job["function"]](*job["args"], **job["conditions"])}
    except Exception:  # noqa: BLE001  told to the test
        answer = {"error": traceback.format_exc()}
    answers.write(json.dumps(answer) + "\n")
