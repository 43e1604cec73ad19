"""Records as the recorder would make them for the calls whose traces autolog once made."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from ollamatrace.clients.answers import (
    ChatAnswer,
    CompletionAnswer,
    EmbeddingAnswer,
    Facts,
    ResponsesAnswer,
)
from ollamatrace.records import Content, SpanRecord

FOLDER = Path(__file__).parents[2] / "golden"
CALLS = sorted(file.stem for file in FOLDER.glob("chat_*.json"))
CALLS += ["completions", "embeddings", "responses", "log_stream_chunks_async_flag_off"]
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)


def golden(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def span_of(name, index=0):
    return golden(name)["traces"][0]["data"]["spans"][index]


def decoded(span):
    return {key: json.loads(text) for key, text in span["attributes"].items()}


def hex_id(text):
    return base64.b64decode(text).hex() if text else None


def record_of(name, index=0):
    """The record of a span; what was an attachment is an image again."""
    file, span = golden(name), span_of(name, index)
    known = decoded(span)
    inputs, outputs = known.get("mlflow.spanInputs"), known.get("mlflow.spanOutputs")
    if isinstance(inputs, dict):
        inputs.pop("extra_headers", None)  # never recorded
        if "image" in name:
            inputs["messages"][0]["content"][1]["image_url"]["url"] = (
                f"data:image/png;base64,{PIXEL}"
            )
    is_call = "mlflow.llm.model" in known
    facts = _answer(inputs, known).facts(outputs) if is_call and outputs else Facts()
    failed = span["status"]["code"] == "STATUS_CODE_ERROR"
    return SpanRecord(
        name=span["name"],
        kind=known["mlflow.spanType"],
        trace_id=hex_id(span["trace_id"]),
        span_id=hex_id(span["span_id"]),
        parent_id=hex_id(span["parent_span_id"]),
        start_ns=span["start_time_unix_nano"],
        end_ns=span["end_time_unix_nano"],
        status="ERROR" if failed else "OK",
        end_reason="error" if failed else "returned",
        status_message=file["raised"].rpartition(".")[2] if failed else "",
        input_content=Content(inputs),
        output_content=Content(outputs),
        event_content=Content([_event(event, file) for event in span["events"]]),
        attributes={} if facts.finish_reason is None else {"finish_reason": facts.finish_reason},
        usage=facts.usage,
        model=known.get("mlflow.llm.model"),
        provider="ollama" if is_call else None,
    )


def _answer(inputs, known):
    if known["mlflow.spanType"] == "EMBEDDING":
        return EmbeddingAnswer()
    if known["mlflow.spanType"] == "LLM":
        return CompletionAnswer()
    return ChatAnswer() if "messages" in inputs else ResponsesAnswer()


def _event(event, file):
    name, known = event["name"], dict(event["attributes"])
    if name.startswith("mlflow.chunk.item."):
        value = json.loads(known["mlflow.chunk.value"])
        known = {"index": int(name.rpartition(".")[2]), "value": value}
        name = "chunk"
    elif name == "exception":
        known["exception.type"] = file["raised"].partition(":")[0].removeprefix("builtins.")
    return {"name": name, "time_ns": event["time_unix_nano"], "attributes": known}


def a_record(**fields):
    """A small span with the given fields; `inputs`, `outputs`, `events` as plain values."""
    for name in ("inputs", "outputs", "events"):
        if name in fields:
            fields[name.removesuffix("s") + "_content"] = Content(fields.pop(name))
    given = {
        "name": "Completions",
        "kind": "CHAT_MODEL",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_id": None,
        "start_ns": 1_795_336_450_945_009_429,
        "end_ns": 1_795_336_451_248_604_640,
        "status": "OK",
        "end_reason": "returned",
        "provider": "openai",
    }
    return SpanRecord(**{**given, **fields})
