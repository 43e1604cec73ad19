"""The attributes of a span as MLflow has them.

A call through a client gets what MLflow's autolog gives it, and more (see `improvements`). A manual
span has its inputs, outputs and own attributes. What MLflow has no name for is under
``ollamatrace.``, so that a record can be read back whole; so are own attributes whose names would
be taken for something else then.
"""

from __future__ import annotations

from typing import Any, Final

from ollamatrace.destinations.mlflow.accepted import (
    MAX_NAME,
    MAX_SESSION,
    NAME_TAG,
    TAG,
    is_accepted,
    is_tag,
)
from ollamatrace.destinations.mlflow.decode import (
    FUNCTION,
    FUNCTION_NAME,
    MEANT,
    OWN,
    is_left_out,
    is_read,
)
from ollamatrace.destinations.mlflow.images import Images, may_hold_images
from ollamatrace.destinations.mlflow.native import FORM, Shown, normalised
from ollamatrace.destinations.mlflow.tools import chat_tools
from ollamatrace.destinations.pieces import NOTED
from ollamatrace.records import SpanRecord, Timing, Usage
from ollamatrace.records.shapes import is_dict

_MAX_SPAN_TAG: Final = 8000
_INFO_KINDS: Final = frozenset({"LLM", "CHAT_MODEL", "TOOL", "RETRIEVER", "AGENT", "EMBEDDING"})
_DEBUG, _INFO, _ERROR = 10, 20, 40
_TIMING: Final = tuple(Timing.__dataclass_fields__)
# What a program says with these is for the server.
_MEANT: Final = frozenset(
    {
        "gen_ai.conversation.id",
        "mlflow.chat.tokenUsage",
        "mlflow.llm.model",
        "mlflow.llm.provider",
        "session.id",
        "user.id",
    }
)
_IN_INPUTS: Final = frozenset({"messages", "input"})


def attributes(record: SpanRecord, images: Images | None = None) -> dict[str, Any]:
    """The decoded attributes of the span.

    Args:
        record: The span.
        images: Takes images out of inputs and outputs; without it they stay where they are.
    """
    shown = shown_of(record, images)
    made: dict[str, Any] = {
        "mlflow.traceRequestId": f"tr-{record.trace_id}",
        "mlflow.spanType": record.kind,
    }
    if shown.inputs is not None:
        made["mlflow.spanInputs"] = shown.inputs
    if record.provider is not None:
        _add_call(made, record, shown)
    if shown.outputs is not None:
        made["mlflow.spanOutputs"] = shown.outputs
    if record.status == "OK":
        made["mlflow.spanLogLevel"] = _INFO if record.kind in _INFO_KINDS else _DEBUG
    else:
        made["mlflow.spanLogLevel"] = _ERROR
    _add_rest(made, record)
    _add_of_trace(made, record)
    if isinstance(function := record.attributes.get(FUNCTION), str) and record.provider is None:
        made[FUNCTION_NAME] = function.rpartition(".")[2]
    if record.attributes:
        _add_own(made, record, shown)
    return made


def shown_of(record: SpanRecord, images: Images | None = None) -> Shown:
    """What the span was given and gave back, as MLflow gets it."""
    shown = normalised(record)
    if images is None:
        return shown
    inputs, outputs, more = shown
    # In Ollama's own calls images have a field of their own, without a mark.
    if inputs is not None and (more or may_hold_images(record.input_content)):
        inputs = images.replaced(inputs, record.trace_id)
    if outputs is not None and (more or may_hold_images(record.output_content)):
        outputs = images.replaced(outputs, record.trace_id)
    return Shown(inputs, outputs, more)


def status_message(record: SpanRecord) -> str:
    """What the span's status says on the server, where autolog says nothing for a call."""
    if record.status == "CANCELLED":
        return "cancelled"
    return record.status_message if record.provider is None else ""


def _add_call(made: dict[str, Any], record: SpanRecord, shown: Shown) -> None:
    tools = None
    if is_dict(shown.inputs):
        made.update({key: item for key, item in shown.inputs.items() if key not in _IN_INPUTS})
        tools = shown.inputs.get("tools")
    if record.kind != "EMBEDDING":
        made["mlflow.message.format"] = "openai"
    if tools and (listed := chat_tools(tools)):
        made["mlflow.chat.tools"] = listed
    if record.model is not None:
        made["mlflow.llm.model"] = record.model
    if record.usage is not None:
        _add_usage(made, record.usage)
    made["gen_ai.provider.name"] = record.provider
    if (reason := record.attributes.get("finish_reason")) is not None:
        made["gen_ai.response.finish_reasons"] = [reason]
    if (asked := record.attributes.get("model_asked")) is not None:
        made["gen_ai.request.model"] = asked
    made.update(shown.attributes)


def _add_usage(made: dict[str, Any], usage: Usage) -> None:
    counts: dict[str, int] = {}
    if usage.input_tokens is not None:
        counts["input_tokens"] = usage.input_tokens
    if usage.output_tokens is not None:
        counts["output_tokens"] = usage.output_tokens
    # MLflow adds the totals up, and does not derive them.
    total = usage.total_tokens
    counts["total_tokens"] = sum(counts.values()) if total is None else total
    if usage.cached_tokens is not None:
        counts["cache_read_input_tokens"] = usage.cached_tokens
    made["mlflow.chat.tokenUsage"] = counts
    if usage.reasoning_tokens is not None:
        made["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    if total is None or usage.reasoning_tokens is not None:
        made["ollamatrace.usage"] = dict(usage)


def _add_own(made: dict[str, Any], record: SpanRecord, shown: Shown) -> None:
    """Add the span's own attributes: put aside where their names mean something else here."""
    of_call, native = record.provider is not None, FORM in shown.attributes
    meant: list[str] = []
    taken = {*made, *shown.inputs} if of_call and is_dict(shown.inputs) else {*made}
    for name, value in record.attributes.items():
        if of_call and name in NOTED:
            continue
        read = is_read(name, of_call=of_call, native=native)
        if name in taken or not is_accepted(name, value) or (read and name not in _MEANT):
            made[OWN + name] = value
            continue
        made[name] = value
        if read:
            meant.append(name)
        elif is_left_out(name):
            made[OWN + name] = value
    if meant:
        made[MEANT] = meant


def _add_rest(made: dict[str, Any], record: SpanRecord) -> None:
    made["ollamatrace.end_reason"] = record.end_reason
    if record.status == "CANCELLED":
        made["ollamatrace.status"] = record.status
    if record.status_message and record.status_message != status_message(record):
        made["ollamatrace.status_message"] = record.status_message
    timing = {name: ns for name in _TIMING if (ns := getattr(record.timing, name)) is not None}
    if timing:
        made["ollamatrace.timing"] = timing
    if record.warnings:
        made["ollamatrace.warnings"] = record.warnings
    if record.links:
        # Servers before 3.18 read the ids of links wrongly.
        made["ollamatrace.links"] = record.links
    if record.provider is None:
        if record.model is not None:
            made["mlflow.llm.model"] = record.model
        if record.usage is not None:
            _add_usage(made, record.usage)


def _add_of_trace(made: dict[str, Any], record: SpanRecord) -> None:
    if record.session is not None:
        made["session.id"] = record.session[:MAX_SESSION]
        if len(record.session) > MAX_SESSION:
            made["ollamatrace.session"] = record.session
    if record.user is not None:
        made["user.id"] = record.user[:MAX_SESSION]
        if len(record.user) > MAX_SESSION:
            made["ollamatrace.user"] = record.user
    if record.tags:
        made["ollamatrace.tags"] = record.tags
    if record.metadata:
        made["ollamatrace.metadata"] = record.metadata
    if record.parent_id is None:
        for key, value in record.tags.items():
            if is_tag(key):
                made[TAG + key] = str(value)[:_MAX_SPAN_TAG]
        made[TAG + NAME_TAG] = record.name[:MAX_NAME]
