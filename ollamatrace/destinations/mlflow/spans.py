"""Spans as the body of a request that brings them to MLflow: OTLP in JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ollamatrace.destinations.mlflow.attributes import attributes, status_message
from ollamatrace.destinations.mlflow.images import Images
from ollamatrace.destinations.mlflow.values import json_text, key_value, quoted, raw_key_value
from ollamatrace.destinations.pieces import is_small
from ollamatrace.records import Event, Link, SpanRecord

_INTERNAL: Final = 1
_OK, _ERROR = 1, 2
_CHUNK: Final = "chunk"
_FULL_TYPE: Final = "ollamatrace.exception.type"


def encode(
    records: Sequence[SpanRecord],
    pause: Callable[[], None],
    images: Images | None = None,
) -> bytes:
    """Make the JSON of an ``ExportTraceServiceRequest``.

    Args:
        records: Finished spans; of the same span twice the last is taken, as the server would
            count the tokens of both.
        pause: To be called between pieces of work.
        images: Takes images out of inputs and outputs, to be uploaded.
    """
    latest = {(record.trace_id, record.span_id): record for record in records}
    spans: list[bytes] = []
    for record in latest.values():
        text = _span(record, pause, images)
        spans.append(text.encode("utf-8", "replace"))
        pause()
    # No resource: its attributes would become tags of every trace.
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join(spans) + b"]}]}]}"


def _span(record: SpanRecord, pause: Callable[[], None], images: Images | None) -> str:
    decoded = attributes(record, images)
    del decoded["mlflow.traceRequestId"]  # the server makes it from the trace's id in any case
    careful = None if is_small(record) else pause
    known = ",".join([key_value(key, value, careful) for key, value in decoded.items()])
    code = _OK if record.status == "OK" else _ERROR
    # An end of 0 means to the server that the span goes on, for ever.
    end_ns = max(record.end_ns, record.start_ns, 1)
    parent = "" if record.parent_id is None else f'"parentSpanId":"{record.parent_id}",'
    events = ",".join([_event(event, pause) for event in record.events])
    links = ",".join([_link(link) for link in record.links])
    return (
        f'{{"traceId":"{record.trace_id}","spanId":"{record.span_id}",{parent}'
        f'"name":{quoted(record.name)},"kind":{_INTERNAL},'
        f'"startTimeUnixNano":"{record.start_ns}","endTimeUnixNano":"{end_ns}",'
        f'"status":{{"code":{code},"message":{quoted(status_message(record))}}},'
        f'"events":[{events}],"links":[{links}],"attributes":[{known}]}}'
    )


def _event(event: Event, pause: Callable[[], None]) -> str:
    name, known = event["name"], event["attributes"]
    if name == _CHUNK and "index" in known and "value" in known:
        name = f"mlflow.chunk.item.{known['index']}"
        known = {"mlflow.chunk.value": json_text(known["value"])}
    elif name == "exception" and isinstance(kind := known.get("exception.type"), str):
        bare = kind.rpartition(".")[2]
        if bare != kind:
            known = {**known, "exception.type": bare, _FULL_TYPE: kind}
    pause()
    pairs = ",".join([raw_key_value(key, value) for key, value in known.items()])
    return f'{{"name":{quoted(name)},"timeUnixNano":"{event["time_ns"]}","attributes":[{pairs}]}}'


def _link(link: Link) -> str:
    return f'{{"traceId":"{link["trace_id"]}","spanId":"{link["span_id"]}"}}'
