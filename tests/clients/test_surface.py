"""Every public method of the SDKs is traced, or known not to be, and why."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import inspect
import json
import re
import warnings

import pytest

from ollamatrace import TracedClient
from ollamatrace.clients import endpoints
from tests.clients.endpoints_stub import BY_PATH, Ask
from tests.clients.stubs import Stub, contains, done, event_stream, find, items, plain

LEADS_TO = {
    "chat.completions.stream": "chat.completions.create",
    "beta.chat.completions.stream": "beta.chat.completions.create",
    "responses.stream": "responses.create",
    "videos.create_and_poll": "videos.create",
    "beta.threads.create_and_run_poll": "beta.threads.create_and_run",
    "beta.threads.create_and_run_stream": "beta.threads.create_and_run",
    "beta.threads.runs.create_and_poll": "beta.threads.runs.create",
    "beta.threads.runs.create_and_stream": "beta.threads.runs.create",
    "beta.threads.runs.stream": "beta.threads.runs.create",
    "beta.threads.runs.submit_tool_outputs_and_poll": "beta.threads.runs.submit_tool_outputs",
    "beta.threads.runs.submit_tool_outputs_stream": "beta.threads.runs.submit_tool_outputs",
    "beta.agents.sessions.stream": "beta.agents.sessions.events.create",
    # These lead to all that is traced.
    "copy": "chat.completions.create",
    "with_options": "chat.completions.create",
    "post": "beta.chat.completions.create",
}
PASSED_THROUGH = {
    "the affairs of an organisation": "admin.*",
    "files and what is made of them": "files.* uploads.* containers.* skills.*",
    "settings, keys and signatures": "webhooks.* models.* safety.*",
    "jobs of hours, whose call brings no answer": """batches.* evals.* fine_tuning.jobs.*
        fine_tuning.checkpoints.* fine_tuning.alpha.graders.validate""",
    "websockets, calls and their keys": """realtime.* live.* beta.realtime.* responses.connect
        beta.responses.connect""",
    "conversations that are stored": "conversations.* beta.chatkit.*",
    "looks for a watermark, asks no model": "content_provenance_checks.create",
    "voices that are stored": "audio.voices.* audio.voice_consents.*",
    "stored things: a search of them is traced": """vector_stores.files.*
        vector_stores.file_batches.* vector_stores.create vector_stores.delete vector_stores.list
        vector_stores.retrieve vector_stores.update""",
    "stored videos and their state": """videos.delete videos.list videos.retrieve videos.poll
        videos.download_content videos.create_character videos.get_character""",
    "stored completions": """chat.completions.delete chat.completions.list
        chat.completions.messages.list chat.completions.retrieve chat.completions.update
        beta.chat.completions.delete beta.chat.completions.list
        beta.chat.completions.messages.list beta.chat.completions.retrieve
        beta.chat.completions.update""",
    "stored responses": """responses.cancel responses.delete responses.input_items.*
        beta.responses.cancel beta.responses.delete beta.responses.input_items.*""",
    "counts, does not ask a model": "responses.input_tokens.* beta.responses.input_tokens.*",
    "assistants, threads and messages that are stored": """beta.assistants.* beta.threads.messages.*
        beta.threads.create beta.threads.delete beta.threads.retrieve beta.threads.update""",
    "the state of a run": """beta.threads.runs.cancel beta.threads.runs.list
        beta.threads.runs.poll beta.threads.runs.retrieve beta.threads.runs.steps.*
        beta.threads.runs.update""",
    "agents and what belongs to them": """beta.agents.automations.* beta.agents.environments.*
        beta.agents.vaults.* beta.agents.create beta.agents.delete beta.agents.list
        beta.agents.retrieve beta.agents.update""",
    "the state of a session": """beta.agents.sessions.artifacts.* beta.agents.sessions.items.*
        beta.agents.sessions.subagents.* beta.agents.sessions.traces.*
        beta.agents.sessions.turns.* beta.agents.sessions.delete beta.agents.sessions.list
        beta.agents.sessions.retrieve beta.agents.sessions.update""",
    "listens to what another call began": "beta.agents.sessions.events.stream",
    "requests of the program's own, but for `post`": """get put patch delete request
        get_api_list""",
    "the client itself": "close is_closed platform_headers",
}
OLLAMA_PASSED_THROUGH = {
    "stored models": "list show ps copy delete create_blob",
    "the client itself": "close",
}


def methods(value, way=""):
    """The public methods below a client, with the way to each."""
    kind = type(value)
    for name in filter(
        lambda name: not name.startswith(("_", "with_raw", "with_stream")), dir(kind)
    ):
        found = inspect.getattr_static(kind, name)
        if isinstance(found, functools.cached_property | property):
            inner = None
            with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
                inner = getattr(value, name)
            if "resources" in type(inner).__module__:
                yield from methods(inner, f"{way}{name}.")
        elif callable(found) or isinstance(found, staticmethod | classmethod):
            yield way + name


def by_method(table):
    return [method for endpoint in table for method in endpoint.methods]


def patterns(table):
    return [pattern for listed in table.values() for pattern in listed.split()]


def check_listed(found, listed):
    """Each method is matched by one of the patterns, and each pattern matches something."""
    assert sorted(listed) == sorted(set(listed)), "listed twice"
    compiled = [(one, re.compile(fnmatch.translate(one))) for one in listed]
    matches = {name: [one for one, regex in compiled if regex.match(name)] for name in found}
    assert {name for name, hits in matches.items() if not hits} == set(), "not listed"
    assert {name: hits for name, hits in matches.items() if len(hits) > 1} == {}, "listed twice"
    used = {one for hits in matches.values() for one in hits}
    assert set(listed) - used == set(), "matches nothing"


def test_every_method_of_openai_is_listed(way):
    found = set(methods(Stub([]).openai(way)))
    assert len(found) > 400
    listed = [*by_method(endpoints.OPENAI), *BY_PATH, *LEADS_TO, *patterns(PASSED_THROUGH)]
    check_listed(found, listed)


def test_every_method_of_ollama_is_listed(way):
    found = set(methods(Stub([]).ollama(way)))
    check_listed(found, [*by_method(endpoints.OLLAMA), *patterns(OLLAMA_PASSED_THROUGH)])


def test_what_a_helper_leads_to_is_traced():
    assert set(LEADS_TO.values()) <= {*by_method(endpoints.OPENAI), *BY_PATH}


@pytest.mark.parametrize("method", by_method(endpoints.OPENAI))
def test_methods_of_openai_are_replaced(method, way, tracer):
    bare = Stub([]).openai(way)
    check_replaced(bare, TracedClient(bare, tracer=tracer), method)


@pytest.mark.parametrize("method", by_method(endpoints.OLLAMA))
def test_methods_of_ollama_are_replaced(method, way, tracer):
    bare = Stub([]).ollama(way)
    check_replaced(bare, TracedClient(bare, tracer=tracer), method)


def check_replaced(bare, twin, method):
    *owner, name = method.split(".")
    before = find(bare, ".".join(owner)) if owner else bare
    after = find(twin, ".".join(owner)) if owner else twin
    assert name not in vars(before)
    assert name in vars(after)
    assert inspect.unwrap(vars(after)[name]) is inspect.unwrap(getattr(type(before), name))
    assert inspect.signature(getattr(after, name)) == inspect.signature(getattr(before, name))


def test_every_address_of_the_table_is_asked_for():
    listed = {path for endpoint in endpoints.OPENAI for path in endpoint.paths}
    # Those of traced methods are their own; `beta` reaches two of them another way.
    assert listed - {ask.path for ask in BY_PATH.values()} == {"/completions", "/embeddings"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("method", "ask"), BY_PATH.items(), ids=BY_PATH)
async def test_by_path(method, ask: Ask, way, tracer):
    server = Stub([ask.reply])
    bare = server.openai(way)
    expected = await done(find(bare, method)(**ask.given))
    answer = await done(find(TracedClient(bare, tracer=tracer), method)(**ask.given))
    assert type(answer) is type(expected)
    assert plain(answer) == plain(expected)
    [record] = tracer.finished()
    check_record(record, ask, way)
    before, after = server.requests
    path = ask.path.removeprefix("GET ")
    assert re.fullmatch("/v1" + path.replace("{}", "[^/]+"), after.url.path)
    assert before.url == after.url
    if "{}" in path:
        assert record.inputs.pop("path") == after.url.path.removeprefix("/v1")
    check_inputs(record, after)
    assert len(before.content) == len(after.content)


def check_record(record, ask, way):
    assert record.name == ("Async" if way == "async" else "") + ask.name
    assert record.kind == ask.kind
    assert (record.status, record.end_reason) == ("OK", "returned")
    assert contains(record.outputs, ask.expected)
    asked = ask.given.get("model")
    answered = ask.expected.get("model", asked) if isinstance(ask.expected, dict) else asked
    assert record.model == answered
    assert not record.warnings


def check_inputs(record, request):
    if request.headers.get("content-type", "application/json") == "application/json":
        assert record.inputs == json.loads(request.content or "{}")
        return
    assert record.inputs
    names = re.findall(rb' name="(\w+)', request.content)
    assert sorted(set(names)) == sorted(name.encode() for name in record.inputs)
    for value in record.inputs.values():
        text = value[0] if isinstance(value, list) else value
        text = next(iter(text.values())) if isinstance(text, dict) else text
        assert text.encode() in request.content


STREAMED = {
    "images.generate": ({"prompt": "A cat"}, "image_generation.completed"),
    "images.edit": ({"prompt": "A cat", "image": ("c.png", b"x")}, "image_edit.completed"),
    "audio.transcriptions.create": (
        {"model": "whisper", "file": ("speech.wav", b"x")},
        "transcript.text.done",
    ),
}


@pytest.mark.parametrize("method", STREAMED)
async def test_by_path_streamed(method, way, tracer):
    """The last event of these streams has all that came before."""
    given, kind = STREAMED[method]
    usage = {"input_tokens": 4, "output_tokens": 3, "total_tokens": 7}
    events = [
        {"type": kind.rpartition(".")[0] + ".delta", "delta": "Hel"},
        {"type": kind, "text": "Hello", "usage": usage},
    ]
    bare = Stub([event_stream(*events)]).openai(way)
    got = []
    for client in (bare, TracedClient(bare, tracer=tracer)):
        stream = await done(find(client, method)(**given, stream=True))
        got.append([plain(event) for event in await items(stream)])
    assert got[1] == got[0]
    [record] = tracer.finished()
    assert record.end_reason == "exhausted"
    assert contains(record.outputs, events[-1])
    assert record.timing.chunks == 2
    assert record.timing.first_answer_ns > 0
    assert record.usage.total_tokens == 7
    assert record.inputs["prompt" if "images" in method else "model"]
