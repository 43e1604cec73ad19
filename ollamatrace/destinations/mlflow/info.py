"""The info of a trace: what MLflow shows in its list, and what only it can say.

Usage, cost and sizes are left out: then spans that come later still count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ollamatrace.destinations.mlflow.accepted import (
    MAX_KEY,
    MAX_NAME,
    MAX_SESSION,
    NAME_TAG,
    is_tag,
)
from ollamatrace.destinations.mlflow.attributes import shown_of
from ollamatrace.destinations.mlflow.images import Images
from ollamatrace.destinations.mlflow.previews import cut, head, preview
from ollamatrace.records import SpanRecord, TraceUpdate
from ollamatrace.records.shapes import as_dict

_MAX_METADATA: Final = 250
_MAX_TAG: Final = 4096
_SESSION: Final = "mlflow.trace.session"
_USER: Final = "mlflow.trace.user"
_SCHEMA: Final = "mlflow.trace_schema.version"
# The server's own: as long as nobody says them, it keeps them up to date.
_OF_SERVER: Final = frozenset(
    {
        "mlflow.trace.cost",
        "mlflow.trace.infoFinalized",
        "mlflow.trace.sizeBytes",
        "mlflow.trace.sizeStats",
        "mlflow.trace.tokenUsage",
    }
)
# What a program may say of a trace as metadata, and the server has a field for, with its length.
_FIELDS: Final = {"client_request_id": 50, "request_preview": 1000, "response_preview": 1000}
_KEPT: Final = (
    "trace_id",
    "trace_location",
    "client_request_id",
    "request_time",
    "execution_duration",
    "state",
    "request_preview",
    "response_preview",
)


def trace_info(
    top: SpanRecord,
    experiment_id: str,
    source: Mapping[str, str],
    images: Images | None = None,
) -> dict[str, Any]:
    """The info of the trace whose topmost span has ended.

    Args:
        top: The root span; or one below those of another tracer, which the server never gets.
        experiment_id: Where the spans were filed.
        source: What program made it, as MLflow's metadata.
        images: As the span was encoded with, so that the texts are the same.
    """
    shown = shown_of(top, images)
    metadata = {
        **_texts(top.metadata),
        **source,
        _SCHEMA: "3",
        "mlflow.traceInputs": _cut_text(shown.inputs),
        "mlflow.traceOutputs": _cut_text(shown.outputs),
    }
    _add_who(metadata, top.session, top.user)
    info: dict[str, Any] = {
        "trace_id": f"tr-{top.trace_id}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": str(experiment_id)},
        },
        "request_time": _rfc3339(top.start_ns),
        "execution_duration": _seconds(top.end_ns - top.start_ns),
        "state": "OK" if top.status == "OK" else "ERROR",
        "trace_metadata": metadata,
        "tags": {**_tags(top.tags), NAME_TAG: top.name[:MAX_NAME]},
    }
    if shown.inputs is not None:
        info["request_preview"] = preview(shown.inputs, "user")
    if shown.outputs is not None:
        info["response_preview"] = preview(shown.outputs, "assistant")
    return {**info, **_fields(top.metadata)}


def updated_info(info: Mapping[str, Any], update: TraceUpdate) -> dict[str, Any]:
    """An info as the server gives it, changed, to be sent back.

    Args:
        info: The ``trace_info`` that the server holds.
        update: What changes.
    """
    new = {name: info[name] for name in _KEPT if name in info}
    metadata = {**as_dict(info.get("trace_metadata"))}
    for key in _OF_SERVER:  # what is not sent stays as it is there
        metadata.pop(key, None)
    metadata.update(_texts(update.metadata))
    _add_who(metadata, update.session, update.user)
    tags = {k: v for k, v in as_dict(info.get("tags")).items() if is_tag(k)}
    tags.update(_tags(update.tags))
    if update.name is not None:
        tags[NAME_TAG] = update.name[:MAX_NAME]
    return {**new, "trace_metadata": metadata, "tags": tags, **_fields(update.metadata)}


def _add_who(metadata: dict[str, str], session: str | None, user: str | None) -> None:
    if session is not None:
        metadata[_SESSION] = session[:MAX_SESSION]
    if user is not None:
        metadata[_USER] = user[:_MAX_METADATA]


def _texts(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: _text(value)[:_MAX_METADATA]
        for key, value in metadata.items()
        if 0 < len(key) <= MAX_KEY and key not in _OF_SERVER and key not in _FIELDS
    }


def _fields(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: cut(_text(metadata[name]), limit)
        for name, limit in _FIELDS.items()
        if name in metadata
    }


def _tags(tags: Mapping[str, Any]) -> dict[str, str]:
    return {key: _text(value)[:_MAX_TAG] for key, value in tags.items() if is_tag(key)}


def _text(value: Any) -> str:
    # One value that is no string makes the server lose all that comes after it, silently.
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _cut_text(value: Any) -> str:
    return "" if value is None else head(value, _MAX_METADATA)


def _rfc3339(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns // 1_000_000 % 1000:03d}Z"


def _seconds(duration_ns: int) -> str:
    return f"{max(duration_ns, 0) // 1_000_000 / 1000:.3f}s"
