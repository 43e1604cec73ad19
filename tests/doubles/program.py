"""Runs in the environment of the others: calls a client that is traced by one of them and by us.

Arguments: a function of `peers`; when it comes: ``before`` or ``after`` the client is traced, or
``gone`` by then; the SDK. Prints what was warned of, what the program got from a synchronous and
from an asynchronous client, and our spans, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

import ollama
import openai

from ollamatrace import TracedClient
from ollamatrace.testing import MemoryTracer
from tests.conformance.server import ModelServer
from tests.doubles import peers  # first: what is imported below reads the environment

MODELS = ("answers", "streams", "fails", "answers")


def clients(sdk, url):
    """The synchronous one, and the asynchronous one."""
    if sdk == "ollama":
        return ollama.Client(host=url, timeout=20), ollama.AsyncClient(host=url, timeout=20)
    options = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 20}
    return openai.OpenAI(**options), openai.AsyncOpenAI(**options)


def call(client, model):
    if "litellm" in sys.modules:
        return through_litellm(client, model)
    chat = client.chat.completions.create if hasattr(client.chat, "completions") else client.chat
    options = {"stream": True} if model == "streams" else {}
    return chat(model=model, messages=[{"role": "user", "content": "Count."}], **options)


def through_litellm(client, model):
    import litellm

    complete = litellm.acompletion if isinstance(client, openai.AsyncOpenAI) else litellm.completion
    return complete(
        model=f"openai/{model}",
        messages=[{"role": "user", "content": "Count."}],
        client=client,
        stream=model == "streams",
    )


def text_of(answer):
    """Of an answer or a chunk."""
    if hasattr(answer, "message"):
        return answer.message.content
    choice = answer.choices[0]
    return (choice.message if hasattr(choice, "message") else choice.delta).content or ""


def ask(client, model):
    try:
        answer = call(client, model)
        return "".join(map(text_of, answer)) if model == "streams" else text_of(answer)
    except Exception as error:  # noqa: BLE001  it is told
        return type(error).__name__


async def ask_async(client, model):
    try:
        answer = await call(client, model)
        if model == "streams":
            return "".join([text_of(chunk) async for chunk in answer])
        return text_of(answer)
    except Exception as error:  # noqa: BLE001  it is told
        return type(error).__name__


async def ask_all(client):
    return [await ask_async(client, model) for model in MODELS]


def main(name, when, sdk):
    seen = {"logged": [], "told": [], "at_making": 0, "got": [], "spans": []}
    handler = logging.Handler()
    handler.emit = lambda record: seen["logged"].append(record.getMessage())
    logging.getLogger("ollamatrace").addHandler(handler)
    tracer = MemoryTracer()
    tracer.on_warning = seen["told"].append
    with ModelServer() as server:
        for bare, is_async in zip(clients(sdk, server.url), (False, True), strict=True):
            client = TracedClient(bare, tracer=tracer) if when == "after" else bare
            client, undo = getattr(peers, name)(client)
            if when == "gone":
                undo()
            if when != "after":
                client = TracedClient(client, tracer=tracer)
            if not is_async:
                seen["at_making"] = len(seen["told"])
            got = asyncio.run(ask_all(client)) if is_async else [ask(client, m) for m in MODELS]
            seen["got"].append(got)
            seen["spans"].append([told(record) for record in tracer.finished()])
    sys.stdout.write("\n" + json.dumps(seen) + "\n")
    sys.stdout.flush()
    os._exit(0)  # others would try to send what they have


def told(record):
    """What a span says."""
    outputs = record.outputs or {}
    message = outputs["choices"][0]["message"] if "choices" in outputs else outputs.get("message")
    return [record.status, record.end_reason, message and message["content"]]


if __name__ == "__main__":
    main(*sys.argv[1:])
