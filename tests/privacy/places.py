"""All places of a traced program where a secret may be, each with one planted."""

# Each place is a function of the tracer and a source of secrets, which gives each once.

from __future__ import annotations

import contextlib
import json
import linecache

import openai

from ollamatrace import TracedClient, extract, session, update_trace
from tests.clients.endpoints_stub import COMPLETION, MESSAGES, RESPONSE
from tests.clients.stubs import Stub, event_stream, json_lines

CONTENT = {}
"""Where it is part of a content, which may be left out as a whole."""
NAMES = {}
"""Where it is in a name, a tag or another text by which traces are found."""
SPLIT = ("first", "then")


def content(place):
    CONTENT[place.__name__] = place
    return place


def name(place):
    NAMES[place.__name__] = place
    return place


def answer(**message):
    choice = {**COMPLETION["choices"][0], "message": {"role": "assistant", **message}}
    return {**COMPLETION, "choices": [choice]}


def chat(tracer, reply=COMPLETION, messages=MESSAGES, **given):
    client = TracedClient(Stub([reply]).openai(), tracer=tracer)
    return client.chat.completions.create(model="m", messages=messages, **given)


@content
def prompt(tracer, secret):
    chat(tracer, messages=[{"role": "user", "content": f"I am {secret()}, who are you?"}])


@content
def prompt_in_parts(tracer, secret):
    url = f"https://pictures.example/cat.png?key={secret()}&size=1"
    parts = [{"type": "text", "text": secret()}, {"type": "image_url", "image_url": {"url": url}}]
    chat(tracer, messages=[{"role": "user", "content": parts}])


@content
def tool_definition(tracer, secret):
    function = {
        "name": "f",
        "description": secret(),
        "parameters": {secret(): {"enum": [secret()]}},
    }
    chat(tracer, tools=[{"type": "function", "function": function}])


@content
def tool_call(tracer, secret):
    arguments = json.dumps({"who": secret(), "nested": json.dumps([secret()])})
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    chat(tracer, answer(content=None, tool_calls=[call]))


@content
def tool_result(tracer, secret):
    chat(tracer, messages=[*MESSAGES, {"role": "tool", "tool_call_id": "1", "content": secret()}])


@content
def other_arguments(tracer, secret):
    chat(
        tracer,
        user=secret(),
        metadata={secret(): secret()},
        stop=[secret()],
        extra_body={"of_mine": {"deep": [secret(), {secret(): 1}]}},
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": {"d": secret()}},
        },
    )


@content
def completion(tracer, secret):
    chat(
        tracer, answer(content=f"It is\n{secret()}.", refusal=secret(), reasoning_content=secret())
    )


@content
def response(tracer, secret):
    reply = json.loads(json.dumps(RESPONSE).replace("Hello", f"Hello {secret()}"))
    client = TracedClient(Stub([reply]).openai(), tracer=tracer)
    client.responses.create(model="m", input=secret(), instructions=secret())


@content
def raw_response(tracer, secret):
    client = TracedClient(Stub([answer(content=secret())]).openai(), tracer=tracer)
    client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES).parse()


@content
def stream(tracer, secret):
    planted = secret()
    texts = ["Hello ", planted, " and ", planted[:6], planted[6:], "!"]
    chunk = {**COMPLETION, "object": "chat.completion.chunk"}
    chunks = [{**chunk, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    list(chat(tracer, event_stream(*chunks), stream=True))


@content
def streamed_tool_call(tracer, secret):
    text = json.dumps({"who": secret()})
    chunk = {**COMPLETION, "object": "chat.completion.chunk"}
    calls = [
        {
            "index": 0,
            "id": "1",
            "type": "function",
            "function": {"name": "f", "arguments": text[:9]},
        },
        {"index": 0, "function": {"arguments": text[9:]}},
    ]
    chunks = [{**chunk, "choices": [{"index": 0, "delta": {"tool_calls": [one]}}]} for one in calls]
    list(chat(tracer, event_stream(*chunks), stream=True))


@content
def abandoned_stream(tracer, secret):
    chunk = {**COMPLETION, "object": "chat.completion.chunk"}
    chunks = [
        {**chunk, "choices": [{"index": 0, "delta": {"content": text}}]} for text in (secret(), "x")
    ]
    next(iter(chat(tracer, event_stream(*chunks), stream=True)))


@content
def ollama_chat(tracer, secret):
    line = {"model": "m", "message": {"role": "assistant", "content": secret()}, "done": False}
    last = {"model": "m", "message": {"role": "assistant", "content": "", "thinking": secret()}}
    client = TracedClient(Stub([json_lines(line, {**last, "done": True})]).ollama(), tracer=tracer)
    list(client.chat("m", [{"role": "user", "content": secret()}], stream=True))


@content
def ollama_generate(tracer, secret):
    reply = {"model": "m", "response": secret(), "done": True, "context": [1, 2, 3]}
    client = TracedClient(Stub([reply]).ollama(), tracer=tracer)
    client.generate(
        "m", secret(), system=secret(), options={"stop": [secret()]}, format={secret(): 1}
    )


@content
def embedding(tracer, secret):
    reply = {"object": "list", "model": "m", "data": [{"index": 0, "embedding": [0.1] * 8}]}
    client = TracedClient(Stub([reply]).openai(), tracer=tracer)
    client.embeddings.create(model="m", input=[secret(), "x"], encoding_format="float")


@content
def error_of_a_server(tracer, secret):
    error = json.dumps({"error": {"message": f"bad prompt: {secret()}"}}).encode()
    reply = {"status_code": 400, "content": error, "headers": {"content-type": "application/json"}}
    with contextlib.suppress(openai.BadRequestError):
        chat(tracer, reply)


@content
def manual_span(tracer, secret):
    with tracer.span("manual") as span:
        span.inputs = {"who": secret(), secret(): (secret(), {secret()})}
        span.set("attribute", [secret()])
        span.set("text", secret())
        span.event("event", {"what": secret(), "deep": {"x": [secret()]}})
        span.outputs = f"-{secret()}-"


@content
def exception(tracer, secret):
    with contextlib.suppress(ValueError), tracer.span("raises"):
        try:
            {}[secret()]
        except KeyError as error:
            raise ValueError(f"line one\n{secret()}") from error


@content
def source_line(tracer, secret):
    planted = secret()
    source = f"raise ValueError  # {planted}"
    linecache.cache["<a program>"] = (len(source), None, [source], "<a program>")
    with contextlib.suppress(ValueError), tracer.span("raises"):
        exec(compile(source, "<a program>", "exec"))  # noqa: S102


@content
def exception_of_a_call(tracer, secret):
    class OddError(Exception):
        pass

    class Failing(Stub):
        def _answer(self, *_request):
            raise OddError(secret())

    client = TracedClient(Failing([None]).openai(), tracer=tracer)
    with contextlib.suppress(OddError):
        client.chat.completions.create(model="m", messages=MESSAGES)


@content
def function(tracer, secret):
    @tracer.trace
    def given(*args, **kwargs):
        return {"found": secret()}

    @tracer.trace
    def items():
        yield secret()
        yield {"x": secret()}

    given(secret(), [secret()], key=secret(), **{secret(): 1})
    list(items())


@name
def names_of_a_span(tracer, secret):
    with tracer.span(f"look up {secret()}", kind=secret()) as span:
        span.set(secret(), 1)
        span.event(secret(), {secret(): 1})


@name
def what_is_said_of_a_trace(tracer, secret):
    with session(secret()), tracer.span("tagged"):
        update_trace(user=secret(), tags={secret(): secret()}, metadata={secret(): secret()})
    with tracer.span("later"):
        pass
    update_trace(
        session=secret(),
        user=secret(),
        tags={"t": secret()},
        metadata={"m": secret()},
        name=secret(),
        request_preview=secret(),
        response_preview=secret(),
        client_request_id=secret(),
    )


@name
def what_is_said_of_a_remote_trace(tracer, secret):
    with extract({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}):
        with tracer.span("remote"):
            pass
        update_trace(user=secret(), tags={"t": secret()})


@name
def name_of_a_client(tracer, secret):
    client = TracedClient(Stub([COMPLETION]).openai(), tracer=tracer, name=secret())
    client.chat.completions.create(model=secret(), messages=MESSAGES)


@name
def model_that_answers(tracer, secret):
    chat(tracer, {**COMPLETION, "model": secret(), "system_fingerprint": secret()})
