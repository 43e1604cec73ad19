"""Calls whose traces MLflow's own autolog once made, and the answers that they were given.

Each file in ``golden/`` holds the source of a call, what it raised, and the traces as
`mlflow.entities.Trace.to_json` gives them. The answers of the model's server follow from these.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import re
import struct
import types
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
_THERE = "http://127.0.0.1:9001"  # where the model's server was when the files were made
_PATHS = {
    "Completions": "/v1/chat/completions",
    "Embeddings": "/v1/embeddings",
    "Responses": "/v1/responses",
}


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def names():
    """The calls that trace one call through `openai`, and nothing else of MLflow's."""
    alone = ("completions", "embeddings", "log_stream_chunks_async_flag_off", "responses")
    return sorted(file.stem for file in FOLDER.glob("chat_*.json")) + list(alone)


def attributes(span):
    return {name: json.loads(text) for name, text in span["attributes"].items()}


def messages():
    """What most of the calls ask."""
    [trace] = load("chat_sync")["traces"]
    return attributes(trace["data"]["spans"][0])["mlflow.spanInputs"]["messages"]


def improvements_for(trace, improvements):
    """What may differ in a trace of this kind."""
    [root] = [span for span in trace["data"]["spans"] if span["parent_span_id"] is None]
    failed = root["status"]["code"] == "STATUS_CODE_ERROR"
    return improvements(attributes(root)["mlflow.spanType"], failed=failed)


# Making the calls again


def call(name, client, url):
    """Run the source of a call; `client` is given each client it makes, and gives the one to use.

    Returns:
        What it raised, as the file has it: ``openai.BadRequestError: text``, else ``None``.
    """
    import openai

    with contextlib.ExitStack() as stack:
        asyncs = []

        def made(kind):
            def make(base_url, **options):
                bare = kind(base_url=base_url.replace(_THERE, url), **options)
                if kind is openai.OpenAI:
                    stack.callback(bare.close)
                else:
                    asyncs.append(bare)
                return client(bare)

            return make

        async def finished(coroutine):
            try:
                await coroutine
            finally:
                for bare in asyncs:
                    await bare.close()

        found = []
        [with_tools] = load("chat_tools")["traces"]
        tools = attributes(with_tools["data"]["spans"][0])
        names = {
            "M": tools["model"],
            "MSG": messages(),
            "TOOLS": tools["tools"],
            "c": made(openai.OpenAI)(_THERE + "/v1", api_key="ollama", max_retries=0),
            "case": lambda _: found.append,
            "openai": types.SimpleNamespace(
                OpenAI=made(openai.OpenAI), AsyncOpenAI=made(openai.AsyncOpenAI)
            ),
        }
        exec(load(name)["call"], names)  # noqa: S102  the very source of the call
        try:
            result = found[0]()
            if inspect.iscoroutine(result):
                asyncio.run(finished(result))
        except openai.OpenAIError as error:
            return f"openai.{type(error).__name__}: {error}"
        return None


# Answering them as they were answered


def exchanges():
    """What the model's server was asked and answered, as the elements of a capture."""
    made = {}
    for name in names():
        exchange = exchange_of(load(name))
        key = exchange["request"]["body"]["text"]
        # One stream was closed early, another of the same request read to its end.
        longest = made.setdefault(key, exchange)
        if len(exchange["response"]["chunks"]) > len(longest["response"]["chunks"]):
            made[key] = exchange
    return list(made.values())


def exchange_of(golden):
    """What the server was asked and answered in one call."""
    [trace] = golden["traces"]
    [span] = trace["data"]["spans"]
    known = attributes(span)
    body = dict(known["mlflow.spanInputs"])
    body.pop("extra_headers", None)
    body |= body.pop("extra_body", {})
    path = _PATHS[span["name"].removeprefix("Async")]
    if "prompt" in body:
        path = "/v1/completions"
    if path == "/v1/embeddings":
        body["encoding_format"] = "base64"  # the SDK asks for it by itself, and decodes it
    sent = json.dumps(body)
    if "mlflow-attachment" in sent:  # MLflow took the image out of the trace
        image = re.search(r"data:image[^\"]+", golden["call"]).group()
        sent = re.sub(r"mlflow-attachment[^\"]+", image, sent)
    status, kind, chunks = _answer(golden.get("raised"), span, known, stream=body.get("stream"))
    return {
        "request": {"line": f"POST {path} HTTP/1.1", "body": {"text": sent}},
        "response": {
            "line": f"HTTP/1.1 {status}",
            "headers": [["Content-Type", kind]],
            "headers_at_ms": 0,
            "framing": "chunked",
            "chunks": [{"t_ms": 0, "text": text} for text in chunks],
            "end_ms": 0,
        },
    }


def _answer(raised, span, known, *, stream):
    """Give the status line, the content type and the pieces of an answer."""
    if stream:
        pieces = [
            event["attributes"]["mlflow.chunk.value"]
            for event in span["events"]
            if event["name"].startswith("mlflow.chunk.item.")
        ]
        last = json.dumps({"error": {"message": raised.split(": ", 1)[1]}}) if raised else "[DONE]"
        return "200 OK", "text/event-stream", [f"data: {piece}\n\n" for piece in [*pieces, last]]
    if raised:
        found = re.search(r"Error code: (\d+) - (.*)", raised)
        status, message = found.groups() if found else ("500", raised)
        return f"{status} Error", "application/json", [json.dumps({"error": {"message": message}})]
    answer = known["mlflow.spanOutputs"]
    if span["name"] == "Embeddings":
        for one in answer["data"]:
            numbers = one["embedding"]
            packed = struct.pack(f"<{len(numbers)}f", *numbers)
            one["embedding"] = base64.b64encode(packed).decode()
    return "200 OK", "application/json", [json.dumps(answer)]
