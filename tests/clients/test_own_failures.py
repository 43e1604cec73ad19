"""A failure of ollamatrace itself never reaches the program; Ctrl-C does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import inspect
import logging
import sys
import threading
import types

import pytest

from ollamatrace import TracedClient, current_span, set_default
from tests.clients.inprocess import ASK, KINDS, WORDS, make, read_to_the_end, scenarios, whole

ON_THE_CALLERS_THREAD = [
    "clients.begin.Call.__init__",
    "clients.begin._files",
    "clients.begin._recorded",
    "clients.begin.is_as_sent",
    "clients.begin.quick_snapshot",
    "clients.begin.path_of",
    "clients.binding.registry.resolve",
    "clients.body.Body.__init__",
    "clients.body.Body.add",
    "clients.call.Call._respond",
    "clients.call.Call._size",
    "clients.call.Call._listen_to",
    "clients.call.Call._take_body",
    "clients.call.Call._take_result",
    "clients.call.Call.begin",
    "clients.call.Call.is_beginning",
    "clients.call.Call.take_inputs",
    "clients.call.Call._read_on",
    "clients.call.Call._weight",
    "clients.call.answer_snapshot",
    "clients.call.content_of",
    "clients.call.form_of",
    "clients.call.is_cancellation",
    "clients.call.is_reading",
    "clients.call.snapshot",
    "clients.call.traced_response",
    "clients.call.traced_stream",
    "clients.endpoints.Paths.find",
    "clients.raw.hear_closing",
    "clients.streams.hear_closing",
    "clients.subclasses.Ways.around",
    "clients.twin.rebound",
    "pipeline.Pipeline.put",
    "spans.Span._end",
    "spans.span.remember",
    "spans.Span.end",
    "spans.Span.fail",
    "spans.Span.leave",
    "spans.failure._frame",
    "spans.span.Failure",
    "spans.span.is_cancellation",
]
ENDING = {("spans.Span._end", "before"), ("spans.Span.end", "before")}
ENDING |= {("clients.call.is_reading", "before"), ("clients.call.is_reading", "after")}
"""Where these fail, nothing can end, or it is not known whether it has."""
LISTENING = {
    "clients.call.Call._listen_to",
    "clients.call.Call._read_on",
    "clients.call.Call._take_result",
    "clients.call.form_of",
    "clients.call.traced_stream",
    "clients.streams.hear_closing",
    "clients.subclasses.Ways.around",
    "spans.Span.leave",
}
"""Where these fail, the program gets the SDK's own stream, and with it what was asked for."""
ON_THE_WORKER = [
    "clients.answers.chat.ChatAnswer.facts",
    "clients.answers.chat._ChatMerger.add",
    "clients.answers.chat._ChatMerger.result",
    "clients.answers.ollama.OllamaAnswer.facts",
    "clients.answers.ollama._OllamaMerger.add",
    "clients.assembly.Assembly.add",
    "clients.assembly.Assembly.give",
    "clients.body.Body._decoded",
    "clients.call.Call.assemble",
    "clients.chunks.ChunkEvents.add",
    "clients.event_stream.EventStream.feed",
    "spans.Span.finish",
    "spans.span.content_of",
]


@contextlib.contextmanager
def breaking(step, error, when, *, once=False):
    """Have a step raise before or after it does its work; gives the threads in which it did."""
    *way, name = step.split(".")
    owner = importlib.import_module("ollamatrace")
    for part in way:
        if not hasattr(owner, part):
            importlib.import_module(f"{owner.__name__}.{part}")
        owner = getattr(owner, part)
    static, raised = inspect.getattr_static(owner, name), []
    is_class_method = isinstance(static, classmethod)
    work = static.__func__ if is_class_method else getattr(owner, name)

    def broken(*args, **kwargs):
        here = threading.current_thread()
        fails = not once or (not raised and here is threading.main_thread())
        result = None if fails and when == "before" else work(*args, **kwargs)
        if not fails:
            return result
        raised.append(here)
        raise error("a failure of ollamatrace itself")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, classmethod(broken) if is_class_method else broken)
        yield raised


async def outcome(scenario, client):
    try:
        return await scenario(client)
    except Exception as error:  # noqa: BLE001  whatever the program gets is compared
        return type(error), str(error)


async def outcomes(wrap=TracedClient):
    """What the program gets of each client in each scenario, and what is current then."""
    got_by = {}
    for kind in KINDS:
        client = wrap(make(kind))
        for scenario in scenarios(kind):
            got_by[kind, scenario.__name__] = await outcome(scenario, client), current_span()
    return got_by


@pytest.fixture
def quiet(monkeypatch, capfd, tracer):
    """Failures of ours are logged, as at a user's, and nothing else is heard of them."""
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    set_default(tracer)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    gc.freeze()  # what is there already need not be looked through each time
    yield
    gc.collect()
    gc.unfreeze()
    assert unraisable == []
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def bare():
    """What the program gets of the clients themselves."""
    return asyncio.run(outcomes(wrap=lambda client: client))


def told(caplog):
    return {record.name for record in caplog.records if record.levelno >= logging.WARNING}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ON_THE_CALLERS_THREAD + ON_THE_WORKER)
async def test_the_program_does_not_notice(step, when, bare, tracer, caplog):
    with breaking(step, ValueError, when) as raised:
        assert await outcomes() == bare
        tracer.flush()
    assert raised
    assert told(caplog) == {"ollamatrace"}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("error", [RecursionError, MemoryError])
@pytest.mark.parametrize("step", ["clients.call.snapshot", "clients.assembly.Assembly.add"])
async def test_the_program_does_not_notice_exhaustion(step, error, bare, tracer, caplog):
    with breaking(step, error, "before") as raised:
        assert await outcomes() == bare
        tracer.flush()
    assert raised
    assert told(caplog) == {"ollamatrace"}


@pytest.mark.usefixtures("quiet")
async def test_a_chunk_that_cannot_be_kept_arrives_all_the_same(bare, monkeypatch):
    clock = types.SimpleNamespace()  # no room for another number, say: it gives none
    monkeypatch.setattr("ollamatrace.clients.call.perf_counter_ns", clock)
    assert await outcomes() == bare


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ON_THE_CALLERS_THREAD + ON_THE_WORKER)
async def test_nothing_stays_open_and_the_next_call_is_recorded(step, when, tracer, monkeypatch):
    # What captures logs in a test keeps the traceback, and with it the stream.
    monkeypatch.setattr(logging.getLogger("ollamatrace"), "disabled", True)
    with breaking(step, ValueError, when) as raised:
        await outcomes()
        tracer.flush()
    assert raised
    gc.collect()
    if (step, when) not in ENDING:
        assert [span.name for span in tracer.pipeline.open.values()] == []
    tracer.finished()
    await outcome(whole, TracedClient(make("Client")))
    [record] = tracer.finished()
    assert record.outputs["message"]["content"] == " ".join(WORDS[:3])
    assert record.inputs == ASK


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI"])
@pytest.mark.parametrize(
    "step", sorted({"clients.begin._asks_for_counts", *ON_THE_CALLERS_THREAD} - LISTENING)
)
async def test_counts_that_nobody_asked_for_stay_hidden(step, kind, tracer):
    expected = await outcome(read_to_the_end, make(kind))
    client = TracedClient(make(kind), include_usage=True)
    assert await outcome(read_to_the_end, client) == expected
    with breaking(step, ValueError, "before"):
        assert await outcome(read_to_the_end, client) == expected
    assert await outcome(read_to_the_end, client) == expected


@pytest.mark.usefixtures("quiet")
async def test_a_log_handler_that_fails_is_no_failure_of_the_program(bare):
    class Broken(logging.Handler):
        def emit(self, record):  # noqa: ARG002  the name of the interface
            raise ValueError("the program's own handler")

    handler = Broken()
    logging.getLogger("ollamatrace").addHandler(handler)
    try:
        with breaking("clients.call.Call.take_inputs", ValueError, "before") as raised:
            assert await outcomes() == bare
    finally:
        logging.getLogger("ollamatrace").removeHandler(handler)
    assert raised


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ON_THE_CALLERS_THREAD)
def test_ctrl_c_inside_of_a_step_reaches_the_program(step, when, tracer, monkeypatch):
    reached, wrong, lost = [], {}, []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: lost.append(args.exc_type))

    def lose(record):
        lost.append(record.getMessage())
        return False  # what captures logs in a test keeps the traceback, and with it the stream

    monkeypatch.setattr(logging.getLogger("asyncio"), "filters", [lose])

    async def run(scenario, client, current):
        try:
            await scenario(client)
        finally:
            current.append(current_span())

    def came(scenario, client, current):
        try:
            asyncio.run(run(scenario, client, current))
        except BaseException as error:  # noqa: BLE001  whatever the program gets is compared
            return type(error)
        return None

    for kind, scenario in [(one, way) for one in KINDS for way in scenarios(one)]:
        current = []
        with breaking(step, KeyboardInterrupt, when, once=True) as raised:
            kind_of_error = came(scenario, TracedClient(make(kind)), current)
        if tracer.pipeline.open:
            gc.collect()
        reached += raised
        # In what is collected or closed by an event loop, no exception has anywhere to go.
        expected = KeyboardInterrupt if raised and not lost else kind_of_error
        left = [span.name for span in tracer.pipeline.open.values()]
        if (kind_of_error, current, left) != (expected, [None], []):
            wrong[kind, scenario.__name__] = kind_of_error, current, left
        tracer.pipeline.open.clear()
        lost.clear()
    assert reached
    assert wrong == {}
