"""Traces of an MLflow server as our records: our own without loss, those of others sensibly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from ollamatrace.destinations.mlflow.accepted import NAME_TAG, TAG
from ollamatrace.destinations.mlflow.native import FORM, restored
from ollamatrace.destinations.mlflow.stored import event_attributes, hex_id, plain_attributes
from ollamatrace.records import Content, Event, Link, SpanRecord, Status, Timing, Trace, Usage
from ollamatrace.records.shapes import as_dict, as_list, is_dict, is_list

_TRACE_DIGITS: Final = 32
_SPAN_DIGITS: Final = 16
_NS_PER_MS: Final = 1_000_000
_CUT: Final = 250
"""The shortest length at which the server cuts texts."""
_END: Final = "ollamatrace.end_reason"
"""Every span of ours has it."""
OWN: Final = "ollamatrace.attribute."
"""What a program's own attributes begin with that would be taken for something else."""
MEANT: Final = "ollamatrace.own"
"""The names of its own attributes that are for the server, and no field of the record."""
"""Under it is an attribute of a program's own whose plain name means something else here."""
FUNCTION: Final = "code.function.name"
"""A traced function with its module and its class."""
FUNCTION_NAME: Final = "mlflow.spanFunctionName"
"""MLflow's attribute for the last part of that."""
_FINISH: Final = "gen_ai.response.finish_reasons"
_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
_ASKED: Final = "gen_ai.request.model"
_PROVIDERS: Final = ("gen_ai.provider.name", "mlflow.llm.provider", "gen_ai.system")
_SESSIONS: Final = ("ollamatrace.session", "session.id", "gen_ai.conversation.id")
_USERS: Final = ("ollamatrace.user", "user.id")
_ANSWER: Final = "ollama."
"""How attributes begin that are fields of an answer through Ollama's own client."""
_CHUNK: Final = "mlflow.chunk.item."
# What has a field of its own in a record, or can be had from one.
_MAPPED: Final = frozenset(
    {
        "mlflow.chat.tokenUsage",
        "mlflow.chat.tools",
        "mlflow.llm.cost",
        "mlflow.llm.model",
        "mlflow.llm.provider",
        "mlflow.message.format",
        "mlflow.spanInputs",
        "mlflow.spanLogLevel",
        "mlflow.spanOutputs",
        "mlflow.spanType",
        "mlflow.traceRequestId",
        "session.id",
        "user.id",
    }
)
_OF_CALL: Final = frozenset(
    {
        "gen_ai.provider.name",
        _ASKED,
        _FINISH,
    }
)
_OURS: Final = frozenset(
    {
        _END,
        "ollamatrace.links",
        "ollamatrace.metadata",
        FORM,
        _REASONING,
        "ollamatrace.session",
        "ollamatrace.status",
        "ollamatrace.status_message",
        "ollamatrace.tags",
        "ollamatrace.timing",
        "ollamatrace.usage",
        "ollamatrace.user",
        "ollamatrace.warnings",
    }
)
# What is left out here, and nothing is read from it: it may be said to the server as well.
_FOR_SERVER: Final = frozenset(
    {
        "mlflow.chat.tools",
        "mlflow.llm.cost",
        "mlflow.message.format",
        _REASONING,
    }
)
_READ: Final = (_MAPPED - _FOR_SERVER).union(_PROVIDERS, _SESSIONS, _USERS)


def decode(info: Mapping[str, Any], spans: list[Any]) -> Trace | None:
    """The trace that a server gave; ``None`` if it has no spans.

    What the info says of the whole trace (session, user, tags, metadata) goes to every span, as
    far as its root does not say the same.

    Args:
        info: The ``trace_info``.
        spans: Its spans, as ``traces/get`` gives them or as they are in an artifact.
    """
    trace_id = hex_id(info.get("trace_id") or info.get("request_id"), _TRACE_DIGITS)
    if trace_id is None or not spans:
        return None
    records = [_record(as_dict(span), trace_id) for span in spans]
    # Of spans that start together, the parent ends last.
    records.sort(key=lambda record: (record.start_ns, -record.end_ns))
    trace = Trace(trace_id, tuple(records))
    _apply(info, trace)
    return trace


def is_read(name: str, *, of_call: bool, native: bool) -> bool:
    """Whether an attribute of this name, of a span of ours, is taken for a field of the record.

    Args:
        name: The attribute's name.
        of_call: The span is a call through a client.
        native: It is one through Ollama's own client.
    """
    return (
        name in _READ
        or name.startswith("ollamatrace.")
        or (of_call and name in _OF_CALL)
        or (native and name.startswith(_ANSWER))
    )


def is_left_out(name: str) -> bool:
    """Whether `decode` passes over an attribute of this name, of a span of ours."""
    return name in _FOR_SERVER or name.startswith(TAG)


def started_ns(info: Mapping[str, Any]) -> int:
    """When the trace began, as its info says; 0 if it does not."""
    moment = info.get("request_time")
    try:
        return round(dt.datetime.fromisoformat(str(moment)).timestamp() * 1000) * _NS_PER_MS
    except ValueError:
        return 0


def _record(span: Mapping[str, Any], trace_id: str) -> SpanRecord:
    found = plain_attributes(span.get("attributes"))
    ours = _END in found
    named = [name for name in as_list(found.pop(MEANT, None)) if isinstance(name, str)]
    meant = {name: found.pop(name) for name in named if name in found}
    status = _status(span, found)
    inputs, outputs = found.get("mlflow.spanInputs"), found.get("mlflow.spanOutputs")
    provider = _first(found, _PROVIDERS)
    attributes = meant | _own_attributes(found, inputs, of_call=provider is not None, ours=ours)
    if ours:
        inputs, outputs = restored(inputs, outputs, found)
    start_ns = int(span.get("start_time_unix_nano") or span.get("start_time") or 0)
    end_ns = int(span.get("end_time_unix_nano") or span.get("end_time") or start_ns)
    return SpanRecord(
        name=str(span.get("name", "")),
        kind=str(found.get("mlflow.spanType", "UNKNOWN")),
        trace_id=trace_id,
        span_id=hex_id(span.get("span_id"), _SPAN_DIGITS) or "",
        parent_id=_parent(span),
        start_ns=start_ns,
        end_ns=end_ns,
        status=status,
        end_reason=found.get(_END, "error" if status == "ERROR" else "returned"),
        status_message=_status_message(span, found, status),
        input_content=Content(inputs),
        output_content=Content(outputs),
        attributes=attributes,
        event_content=Content([_event(as_dict(event)) for event in as_list(span.get("events"))]),
        links=_links(span, found),
        usage=_usage(found),
        model=_text(found.get("mlflow.llm.model")),
        provider=provider,
        timing=Timing(**_known(Timing, found.get("ollamatrace.timing"))),
        warnings=as_list(found.get("ollamatrace.warnings")),
        session=_first(found, _SESSIONS),
        user=_first(found, _USERS),
        tags=as_dict(found.get("ollamatrace.tags")),
        metadata=as_dict(found.get("ollamatrace.metadata")),
    )


def _parent(span: Mapping[str, Any]) -> str | None:
    parent = hex_id(span.get("parent_span_id") or span.get("parent_id"), _SPAN_DIGITS)
    return None if parent is None or not parent.strip("0") else parent


def _status(span: Mapping[str, Any], found: Mapping[str, Any]) -> Status:
    if found.get("ollamatrace.status") == "CANCELLED":
        return "CANCELLED"
    status = span.get("status")
    code = status.get("code") if is_dict(status) else (status or span.get("status_code"))
    return "ERROR" if code in {"STATUS_CODE_ERROR", "ERROR", 2} else "OK"


def _status_message(span: Mapping[str, Any], found: Mapping[str, Any], status: Status) -> str:
    own = found.get("ollamatrace.status_message")
    if own is not None:
        return str(own)
    message = as_dict(span.get("status")).get("message") or span.get("status_message") or ""
    # That of a cancelled span is made for the server.
    return "" if status == "CANCELLED" and message == "cancelled" else str(message)


def _own_attributes(
    found: Mapping[str, Any], inputs: Any, *, of_call: bool, ours: bool
) -> dict[str, Any]:
    """What is left: neither a field of the record nor an argument that the inputs have."""
    given = as_dict(inputs) if of_call or not ours else {}
    native = ours and FORM in found
    function = ours and not of_call and isinstance(found.get(FUNCTION), str)
    attributes: dict[str, Any] = {}
    for name, value in found.items():
        own = ours and (name in _OURS or (of_call and name in _OF_CALL))
        if name.startswith(OWN) and ours:
            attributes[name.removeprefix(OWN)] = value
        elif own or name in _MAPPED or name.startswith(TAG):
            continue
        elif native and name.startswith(_ANSWER):
            continue  # fields of the answer
        elif function and name == FUNCTION_NAME:
            continue
        elif name not in given or (not ours and given[name] != value):
            attributes[name] = value
    if ours and of_call:
        if is_list(reasons := found.get(_FINISH)) and reasons:
            attributes["finish_reason"] = reasons[0]
        if _ASKED in found:
            attributes["model_asked"] = found[_ASKED]
    return attributes


def _event(event: Mapping[str, Any]) -> Event:
    name = str(event.get("name", ""))
    attributes = event_attributes(event.get("attributes"))
    index = name.removeprefix(_CHUNK)
    if name.startswith(_CHUNK) and index.isdecimal():
        name = "chunk"
        attributes = {"index": int(index), "value": _json(attributes.get("mlflow.chunk.value"))}
    elif "ollamatrace.exception.type" in attributes:
        full = attributes["ollamatrace.exception.type"]
        attributes = {**attributes, "exception.type": full}
        del attributes["ollamatrace.exception.type"]
    time_ns = int(event.get("time_unix_nano") or event.get("timestamp") or 0)
    return {"name": name, "time_ns": time_ns, "attributes": attributes}


def _links(span: Mapping[str, Any], found: Mapping[str, Any]) -> list[Link]:
    if is_list(own := found.get("ollamatrace.links")):
        return cast("list[Link]", own)
    links: list[Link] = []
    for link in map(as_dict, as_list(span.get("links"))):
        trace_id = hex_id(link.get("trace_id"), _TRACE_DIGITS)
        span_id = hex_id(link.get("span_id"), _SPAN_DIGITS)
        if trace_id and span_id:
            links.append({"trace_id": trace_id, "span_id": span_id})
    return links


def _usage(found: Mapping[str, Any]) -> Usage | None:
    own = found.get("ollamatrace.usage")
    if own is not None:
        return Usage(**_known(Usage, own))
    counts = found.get("mlflow.chat.tokenUsage")
    if not is_dict(counts):
        return None
    return Usage(
        **_known(Usage, counts), cached_tokens=_number(counts.get("cache_read_input_tokens"))
    )


def _known(kind: type[Usage | Timing], counts: Any) -> dict[str, int]:
    fields = kind.__dataclass_fields__
    numbers = {name: _number(count) for name, count in as_dict(counts).items() if name in fields}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _text(found.get(name))) is not None), None)


def _json(value: Any) -> Any:
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return value


def _apply(info: Mapping[str, Any], trace: Trace) -> None:
    """Bring to the spans what the info says and the root does not: it was said later."""
    metadata, tags = as_dict(info.get("trace_metadata")), as_dict(info.get("tags"))
    root = trace.root
    session = _said(metadata.get("mlflow.trace.session"), [s.session for s in trace.spans])
    user = _said(metadata.get("mlflow.trace.user"), [s.user for s in trace.spans])
    on_spans = _tags_on_spans(trace)
    new_tags = _later(tags, {**on_spans, **root.tags})
    new_metadata = _later(metadata, root.metadata)
    name = _text(tags.get("mlflow.traceName"))
    known_names = (root.name, on_spans.get(NAME_TAG))
    if name and root.parent_id is None and not any(_same(one, name) for one in known_names):
        root.name = name
    for record in trace.spans:
        if session is not None:
            record.session = session
        if user is not None:
            record.user = user
        record.tags = {**record.tags, **new_tags}
        record.metadata = {**record.metadata, **new_metadata}


def _tags_on_spans(trace: Trace) -> dict[str, str]:
    """Tags that the server made of attributes of a program's own: these stay what they were."""
    return {
        name.removeprefix(TAG): str(value)
        for record in trace.spans
        for name, value in record.attributes.items()
        if name.startswith(TAG)
    }


def _said(text: Any, known: list[str | None]) -> str | None:
    """`text` unless a span has it."""
    if not isinstance(text, str) or any(_same(one, text) for one in known):
        return None
    return text


def _later(held: dict[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in held.items()
        if not key.startswith("mlflow.") and not _same(own.get(key), str(value))
    }


def _same(own: object, held: str) -> bool:
    """Whether the server holds what the span has, as much of it as it takes."""
    return own == held or (len(held) >= _CUT and str(own).startswith(held))
