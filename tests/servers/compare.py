"""What two stored traces differ in, apart from what no two traces have in common."""

from __future__ import annotations

import json
import re

_SHORTENED = {
    "mlflow.traceInputs": "mlflow.spanInputs",
    "mlflow.traceOutputs": "mlflow.spanOutputs",
}
_CUT = 250  # the longest value of metadata
_ABSENT = "<absent>"
# Who made the trace, and how many bytes of JSON the one client or the other made of it.
_NOT_COMPARED = re.compile(r"mlflow\.(user|source\.|trace\.size)")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def comparable(trace):
    """Take ids and times out of `Trace.to_json`, and decode the attributes."""
    trace = json.loads(json.dumps(trace))
    for root in trace["data"]["spans"]:
        if root["parent_span_id"] is None:
            _check_shortened(trace["info"]["trace_metadata"], root)
    trace_id = trace["info"]["trace_id"]
    experiment = trace["info"]["trace_location"]["mlflow_experiment"]["experiment_id"]
    text = json.dumps(trace).replace(trace_id, "<trace>")
    text = text.replace(f"mlflow-artifacts:/{experiment}/", "mlflow-artifacts:/<experiment>/")
    trace = json.loads(_UUID.sub("<uuid>", text))
    info = trace["info"]
    info["trace_location"]["mlflow_experiment"]["experiment_id"] = "<experiment>"
    info["request_time"] = bool(info["request_time"])
    info["execution_duration_ms"] = info.get("execution_duration_ms", -1) >= 0
    metadata = info["trace_metadata"]
    info["trace_metadata"] = {k: v for k, v in metadata.items() if not _NOT_COMPARED.match(k)}
    spans = sorted(trace["data"]["spans"], key=lambda span: span["start_time_unix_nano"])
    order = {span["span_id"]: index for index, span in enumerate(spans)}
    return {"info": info, "spans": [_span(span, order) for span in spans]}


def _check_shortened(metadata, root):
    """Replace the root's inputs and outputs in the metadata, which are cut, if they are right."""
    for name, of in _SHORTENED.items():
        if of in root["attributes"]:
            whole = json.dumps(json.loads(root["attributes"][of]))
            if metadata.get(name) == (whole if len(whole) <= _CUT else whole[: _CUT - 3] + "..."):
                metadata[name] = f"<{of} of the root>"


def _span(span, order):
    span = dict(span)
    parent = span.pop("parent_span_id")
    span["parent"] = parent and order.get(parent, "<elsewhere>")
    del span["span_id"], span["trace_id"]
    span["ended"] = span.pop("end_time_unix_nano") >= span.pop("start_time_unix_nano") > 0
    span["attributes"] = {name: json.loads(text) for name, text in span["attributes"].items()}
    span["events"] = [_event(event) for event in span["events"]]
    return span


def _event(event):
    known = dict(event["attributes"])
    if known.get("exception.stacktrace"):
        # The frames of the one client's code or the other's; the last line is the exception.
        known["exception.stacktrace"] = known["exception.stacktrace"].splitlines()[-1]
    if "mlflow.chunk.value" in known:
        known["mlflow.chunk.value"] = json.loads(known["mlflow.chunk.value"])
    return {"name": event["name"], "time": event["time_unix_nano"] > 0, "attributes": known}


def differences(expected, actual, path=()):
    """List where two values differ, as ``(path, expected, actual)``; the order of keys counts."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = [
            difference
            for key in dict.fromkeys([*expected, *actual])
            for difference in differences(
                expected.get(key, _ABSENT), actual.get(key, _ABSENT), (*path, key)
            )
        ]
        both = [key for key in expected if key in actual]
        there = [key for key in actual if key in expected]
        # In what a model was sent and answered; anywhere else no order is meant.
        if "mlflow.spanInputs" in path or "mlflow.spanOutputs" in path:
            found += [((*path, "<order>"), both, there)] * (both != there)
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [d for index, (e, a) in pairs for d in differences(e, a, (*path, index))]
    same = expected == actual and type(expected) is type(actual)
    return [] if same else [(path, expected, actual)]


class Allowed:
    """Differences that are meant, by the name of an attribute or field, and which were met.

    Args:
        reasons: By a name, or by the beginning of names with a ``*`` behind it: why.
        less: Of these, the names that may be missing, or say nothing: others may only be more.
    """

    def __init__(self, reasons, less=("extra_headers", "finish_reason")):
        self.reasons = reasons
        self._less = set(less)
        self.met = set()

    def left(self, found):
        """Take the differences that are meant out of those found."""
        return [one for one in found if not self._is_meant(*one)]

    def _is_meant(self, path, expected, actual):
        # Something is more than it was, or is not told. Just another value is never meant.
        if expected not in (_ABSENT, "") and not (
            actual in (_ABSENT, None) and not self._less.isdisjoint(path)
        ):
            return False
        names = [part for part in path if isinstance(part, str)]
        fitting = {
            entry
            for entry in self.reasons
            if any(
                name.startswith(entry[:-1]) if entry.endswith("*") else name == entry
                for name in names
            )
        }
        self.met |= fitting
        return bool(fitting)

    @staticmethod
    def told(difference):
        """Say where two values differ, and how."""
        path, expected, actual = difference
        at = "/".join(map(str, path))
        return f"{at}\n   expected {_short(expected)}\n   actual   {_short(actual)}"


def _short(value):
    text = value if value == _ABSENT else json.dumps(value)
    return text if len(text) <= 700 else text[:350] + " … " + text[-350:]
