"""The parts of a trace as MLflow's client gives it that tests ask for."""

from __future__ import annotations

import json

TOKENS = {"input_tokens": 26, "output_tokens": 9, "total_tokens": 35}  # of a golden chat call


def state(trace):
    return trace["info"]["state"]


def tags(trace):
    """The tags that are not MLflow's own."""
    return {k: v for k, v in trace["info"]["tags"].items() if not k.startswith("mlflow.")}


def metadata(trace):
    return trace["info"].get("trace_metadata", {})  # there is none before its first info


def tokens(trace):
    usage = metadata(trace).get("mlflow.trace.tokenUsage")
    return usage and json.loads(usage)


def previews(trace):
    return trace["info"].get("request_preview"), trace["info"].get("response_preview")


def duration_ns(trace):
    return trace["info"]["execution_duration_ms"] * 1_000_000


def is_finalized(trace):
    return "mlflow.trace.infoFinalized" in metadata(trace)


def attributes(span):
    return {name: json.loads(text) for name, text in span["attributes"].items()}


def spans(trace):
    """By name."""
    found = {span["name"]: span for span in trace["data"]["spans"]}
    assert len(found) == len(trace["data"]["spans"])
    return found


def tree(trace):
    """Each span's name with its parent's; a parent that is not there is ``"?"``."""
    names = {span["span_id"]: span["name"] for span in trace["data"]["spans"]}
    return sorted(
        (span["name"], (parent := span["parent_span_id"]) and names.get(parent, "?"))
        for span in trace["data"]["spans"]
    )
