"""What is switched off is not there: the program gets what it gets from the SDK and its own code.

Off by the environment, by `Tracer.disable`, or in a `Tracer.suppressed` block.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

import ollamatrace
from ollamatrace import TracedClient, current_span, extract, last_trace_id, span, sync, trace
from ollamatrace.context import bridges
from ollamatrace.spans import SilentSpan
from ollamatrace.testing import MemoryTracer
from ollamatrace.tracer import registry
from tests.clients.inprocess import ASK, KINDS, ask, close, got, listed, make, step

OURS = Path(ollamatrace.__file__).parent
DEADLINE_S = 60


@pytest.fixture(params=["environment", "disable", "suppressed"])
def off(request, monkeypatch):
    """Switches off what the test does in this context."""
    with contextlib.ExitStack() as stack:
        if request.param == "environment":
            monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
        else:
            tracer = stack.enter_context(MemoryTracer())
            if request.param == "disable":
                tracer.disable()
            else:
                stack.enter_context(tracer.suppressed())
        yield request.param
        if request.param != "environment":
            assert tracer.finished() == []


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    return functools.partial(anyio.run, backend=request.param)


@pytest.fixture(params=["here", "task", "thread"])
def elsewhere(request):
    """Runs a coroutine function here, in another task, or in another thread's event loop."""

    async def run(function):
        results = []

        async def work():
            results.append(await function())

        if request.param == "task":
            async with anyio.create_task_group() as group:
                group.start_soon(work)
        elif request.param == "thread":
            # The context comes along, so that a block holds there, too.
            await anyio.to_thread.run_sync(anyio.run, work)
        else:
            await work()
        return results[0]

    return run


def spied(kind):
    """A class of clients that keeps what the SDK's own method gave."""
    given = []

    def keeping(method):
        @functools.wraps(method)
        def kept(*args, **kwargs):
            given.append(method(*args, **kwargs))
            return given[-1]

        @functools.wraps(method)
        async def akept(*args, **kwargs):
            given.append(await method(*args, **kwargs))
            return given[-1]

        return akept if kind.startswith("Async") else kept

    bare = make(kind)
    owner = bare.chat.completions if kind.endswith("OpenAI") else bare
    name = "create" if kind.endswith("OpenAI") else "chat"
    setattr(owner, name, keeping(getattr(owner, name)))
    return bare, given


# The SDKs leave their generators half read, as without us, which trio does not like.
left_by_the_sdks = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@left_by_the_sdks
@pytest.mark.parametrize("more", [{}, {"stream": True}], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_gives_the_sdks_very_object(off, kind, more, run, elsewhere):
    bare, given = spied(kind)
    client = TracedClient(bare)

    async def call():
        result = await got(ask(client)(**ASK, **more))
        assert result is given[-1]
        if more:
            assert "ollamatrace" not in type(result).__module__
            assert await step(result)
            await close(result)
        return True

    async def main():
        return await elsewhere(call)

    before = last_trace_id()
    assert run(main)
    assert last_trace_id() == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_is_ours_only_where_it_is_recorded(kind, tracer):
    client = TracedClient(make(kind))
    tracer.disable()
    bare = await got(ask(client)(**ASK, stream=True))
    tracer.enable()
    traced = await got(ask(client)(**ASK, stream=True))
    assert type(bare) is not type(traced)
    tracer.disable()  # what began before goes on
    for stream in (bare, traced):
        await step(stream)
        await close(stream)
    [record] = tracer.finished()
    assert (record.end_reason, record.timing.chunks) == ("closed", 1)


@left_by_the_sdks
@pytest.mark.parametrize("kind", KINDS)
def test_one_of_two_clients(kind, run, elsewhere):
    with MemoryTracer() as quiet, MemoryTracer() as loud:
        clients = [TracedClient(make(kind), tracer=one) for one in (quiet, loud)]

        async def calls():
            for client in clients:
                with quiet.span("around"), loud.span("around"):
                    await got(ask(client)(**ASK))
                await listed(await got(ask(client)(**ASK, stream=True)))

        async def main():
            await elsewhere(calls)

        quiet.disable()
        run(main)
        assert quiet.finished() == []
        names = sorted(record.name for record in loud.finished())
        quiet.enable()
        loud.disable()
        run(main)
        assert sorted(record.name for record in quiet.finished()) == names
        assert loud.finished() == []
    assert names.count("around") == 2
    assert len(names) == 4  # and a call with its stream


@trace
def function(argument):
    return argument


@trace
async def coroutine(argument):
    return argument


@trace
def generator(argument):
    yield argument


@trace
async def stream(argument):
    yield argument


class Methods:
    @trace
    def method(self, argument):
        return argument

    @trace
    @classmethod
    def generator(cls, argument):
        yield argument


class Untouchable:
    """Whoever looks at it fails."""

    def __getattribute__(self, name):
        raise AssertionError(name)


def test_functions_are_called_directly(off, run):
    given, seen = Untouchable(), []

    async def main():
        seen.append(function(given))
        seen.append(await coroutine(given))
        seen.extend(generator(given))
        seen.extend([item async for item in stream(given)])
        seen.append(Methods().method(given))
        seen.extend(Methods.generator(given))

    run(main)
    assert len(seen) == 6
    assert all(one is given for one in seen)


def test_generators_are_the_functions_own(off):
    for made in (generator(1), Methods().generator(1)):
        function_of_it = Methods.generator if made.gi_code.co_argcount == 2 else generator
        assert made.gi_code is function_of_it.__code__
    made = stream(1)
    assert made.ag_code is stream.__code__


def test_generators_are_ours_where_they_are_recorded(tracer):
    made = generator(1)
    assert made.gi_code is not generator.__code__
    tracer.disable()  # it is, once it is made
    assert list(made) == [1]
    assert len(tracer.finished()) == 1


def test_spans_are_silent(off, run, elsewhere):
    async def work():
        with span("a") as one, span("b", kind="TOOL", parent=one) as inner:
            assert type(one) is type(inner) is SilentSpan
            assert current_span() is None
            given = {"key": []}
            one.inputs, one.outputs = given, given
            one.set("key", given)
            one.event("event")
            one.link(inner)
        async with span("c") as one:
            return (one.inputs, one.url, one.ended, one.is_open, int(one.trace_id, 16))

    async def main():
        return await elsewhere(work)

    assert run(main) == (None, None, False, False, 0)


def modules_run(action):
    """The files of ours in which code runs while `action` does."""
    seen = set()

    def profile(frame, event, _argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and OURS in path.parents:
            seen.add(path.relative_to(OURS).parts[0].removesuffix(".py"))

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize("kind", ["OpenAI", "Client"])
def test_nothing_of_ours_runs_but_the_check(off, kind, monkeypatch):
    monkeypatch.setattr(bridges, "only", None)  # it stays once it was connected, by another test
    client = TracedClient(make(kind))

    def call():
        ask(client)(**ASK)
        list(ask(client)(**ASK, stream=True))

    def functions():
        function(1)
        list(generator(1))

    # No record is made, nothing is taken, queued or stored, no id is drawn.
    check = {"tracer", "context", "settings"}
    assert modules_run(functions) <= check
    assert modules_run(call) <= {*check, "clients", "guard"}


@pytest.mark.parametrize("kind", ["OpenAI", "Client"])
def test_what_runs_where_it_is_recorded(kind, tracer):
    client = TracedClient(make(kind))
    assert {"spans", "records", "pipeline"} <= modules_run(lambda: ask(client)(**ASK))
    assert {"spans", "records", "pipeline"} <= modules_run(lambda: function(1))


def test_no_tracer_is_made_but_to_read(monkeypatch):
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    assert registry.resolve() is None
    assert sync.search_traces() == []
    found = registry.resolve()
    assert found is not None
    assert not found.is_recording


def test_a_trace_that_comes_in_is_passed_on(off):
    headers = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    with extract(headers), span("silent"):
        assert ollamatrace.inject({}) == headers


PROGRAM = """
import asyncio, sys, threading
from pathlib import Path
import httpx, ollama
from ollamatrace import (
    TracedClient, Tracer, attach, extract, inject, session, span, trace, tracer_of, update_trace,
)
sys.path.insert(0, sys.argv[1])
from tests.clients.inprocess import ASK, KINDS, ask, got, listed, make

@trace
def function(): return 1
@trace
def generator(): yield 1

def files():
    return sorted(str(path) for path in Path.home().rglob("*"))

def threads():
    return {thread.name for thread in threading.enumerate()}

clients = {kind: make(kind) for kind in KINDS}

async def work(clients):
    for client in clients.values():
        await got(ask(client)(**ASK))
        await listed(await got(ask(client)(**ASK, stream=True)))

asyncio.run(work(clients))
before = files(), threads()
traced = {kind: TracedClient(client) for kind, client in clients.items()}
modules = set(sys.modules)
asyncio.run(work(traced))
function(), list(generator())
with session("x" * 300), span("a", kind="AGENT") as one, attach(one), extract(inject({})):
    one.inputs = 1
    update_trace("s" * 300, user="u", tags={"k" * 300: "v"})
update_trace(user="late")
assert tracer_of(TracedClient(clients["Client"])) is None
assert set(sys.modules) == modules, set(sys.modules) - modules
closes, *servers = sys.argv[2:]
for server in servers:
    tracer = Tracer(server)
    asyncio.run(work({k: TracedClient(one, tracer=tracer) for k, one in clients.items()}))
    with tracer.span("a"):
        update_trace(user="u")
    report = tracer.flush()
    assert (report.accepted, report.pending) == (0, 0)
    assert (files(), threads()) == before
    if closes == "closed":
        tracer.close()
assert (files(), threads()) == before
"""


@pytest.mark.parametrize("closes", ["closed", "left open"])
@pytest.mark.parametrize(
    "server",
    ["sqlite:///{home}/x.db", "http://127.0.0.1:9", "console:"],
    ids=["sqlite", "http", "console"],
)
def test_a_program_leaves_nothing_behind(tmp_path, server, closes):
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, OURS.parent, closes, server.format(home=home)],
        env={**environment, "HOME": str(home), "OLLAMATRACE_DISABLED": "1"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
