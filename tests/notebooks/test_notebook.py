"""In a notebook, where a loop runs in which every cell is executed."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

import pytest

from ollamatrace.cli.replay import ReplayServer
from ollamatrace.store import Store
from tests.exchanges import arguments

STREAM = "ollama-native/chat_stream"
OPENAI = "ollama-v1/chat"

WAKES = """
async def wakes():
    while True:
        await asyncio.sleep(0.05)
awake = asyncio.create_task(wakes())
"""
"""A kernel sees the stop button when its loop wakes next, which may be never in such a test."""


@pytest.fixture
def hanging():
    """A server that never answers."""
    request = {"line": "POST /api/chat HTTP/1.1", "headers": [], "body": None}
    with ReplayServer([{"request": request}]) as server:
        yield server


def ask(capture):
    return arguments(capture["exchanges"][0])


async def test_a_trace_shows_itself(notebook, replay):
    server, capture = replay("ollama-native/chat")
    made = await notebook.run(f"""
        client = TracedClient(ollama.Client(host={server.url!r}))
        answer = client.chat(**{ask(capture)!r})
        await get_trace(last_trace_id())
    """)
    assert made.result.startswith("<Trace ")
    assert made.html.startswith('<div class="ollamatrace">')
    assert "The capital of France is Paris." in made.html
    span = await notebook.run("_.root")
    assert span.result.startswith("<SpanRecord Chat CHAT_MODEL OK ")
    assert "The capital of France is Paris." in span.html
    table = await notebook.run("await search_traces()")
    assert "<table" in table.html
    assert table.result.startswith("[<Trace ")


async def test_commands_show_how_far_they_are(notebook):
    await notebook.run("with span('job'): pass")
    await notebook.run("sync.search_traces()")
    shown = await notebook.run(f"!{sys.executable} -m ollamatrace export -o /dev/null")
    assert re.search("export .*━━━━━.* 1/1.* traces", re.sub(r"\x1b\[[0-9;]*m", "", shown.text))


async def test_what_blocks_may_be_used_where_a_loop_runs(notebook):
    await notebook.run("with span('job') as job: pass")
    assert "job" in (await notebook.run("sync.search_traces()")).html
    assert "job" in (await notebook.run("sync.get_trace(job.trace_id)")).html
    here = await notebook.run("await asyncio.sleep(0); sync.get_trace(job.trace_id)")
    assert "job" in here.html
    flushed = await notebook.run("""
        with Tracer() as tracer:
            with tracer.span("other"):
                pass
            print(tracer.flush().delivered, (await tracer.aflush()).delivered)
    """)
    assert flushed.text == "1 1\n"


async def test_asynchronous_clients(notebook, replay):
    server, capture = replay(STREAM)
    made = await notebook.run(f"""
        client = TracedClient(ollama.AsyncClient(host={server.url!r}))
        async for chunk in await client.chat(**{ask(capture)!r}):
            print(chunk.message.content, end="")
        await get_trace(last_trace_id())
    """)
    assert "The capital of France is Paris." in made.text
    assert "The capital of France is Paris." in made.html
    server, capture = replay(OPENAI)
    made = await notebook.run(f"""
        other = TracedClient(AsyncOpenAI(base_url={server.url + "/v1"!r}, api_key="x"))
        await other.chat.completions.create(**{ask(capture)!r})
        (await get_trace(last_trace_id())).root.name
    """)
    assert made.result == "'AsyncCompletions'"


@pytest.mark.parametrize("client", ["Client", "AsyncClient"])
async def test_the_stop_button_ends_a_call(client, notebook, hanging):
    wait = "await " if client == "AsyncClient" else ""
    await notebook.run(WAKES)
    made = await notebook.stop(
        f"""
        client = TracedClient(ollama.{client}(host={hanging.url!r}))
        with span("agent"):
            {wait}client.chat("m", [{{"role": "user", "content": "Hello?"}}])
        """,
        once=lambda: hanging.requests,
    )
    assert made.error in {"KeyboardInterrupt", "CancelledError"}
    told = await notebook.run("""
        [trace] = sync.search_traces()
        print([(span.name.removeprefix("Async"), span.end_reason) for span in trace.spans])
        print(current_span())
    """)
    assert told.text == "[('agent', 'cancelled'), ('Chat', 'cancelled')]\nNone\n"


@pytest.mark.parametrize("client", ["Client", "AsyncClient"])
async def test_the_stop_button_ends_a_stream(client, notebook, replay, tmp_path):
    server, capture = replay(STREAM, pace=40)  # a second between two chunks
    wait = "await " if client == "AsyncClient" else ""
    first = tmp_path / "first"
    await notebook.run(WAKES)
    made = await notebook.stop(
        f"""
        from pathlib import Path
        client = TracedClient(ollama.{client}(host={server.url!r}))
        {"async " if wait else ""}for chunk in {wait}client.chat(**{ask(capture)!r}):
            Path({str(first)!r}).touch()
        """,
        once=first.exists,
    )
    assert made.error in {"KeyboardInterrupt", "CancelledError"}
    told = await notebook.run("""
        [trace] = sync.search_traces()
        print(trace.root.end_reason, bool(trace.root.outputs["message"]["content"]))
    """)
    assert told.text == "cancelled True\n"


async def test_a_stack_has_the_source_of_the_cell_and_not_what_runs_it(notebook):
    made = await notebook.run("""
        def work():
            with span("job"):
                1 / 0  # the fault
        work()
    """)
    assert made.error == "ZeroDivisionError"
    shown = await notebook.run("""
        [trace] = await search_traces(status="ERROR")
        print(trace.root.events[0]["attributes"]["exception.stacktrace"])
    """)
    assert "1 / 0  # the fault" in shown.text
    assert "    work()" in shown.text
    assert "IPython" not in shown.text
    assert "asyncio" not in shown.text


async def test_each_cell_knows_what_ended_last_before_it(notebook):
    await notebook.run("with span('first') as first: pass")
    await notebook.run("async with span('waited') as waited: await asyncio.sleep(0)")
    told = await notebook.run("""
        print(last_trace_id() == waited.trace_id)
        update_trace(tags={"answer": "good"})
    """)
    assert told.text == "True\n"
    told = await notebook.run("""
        print([(await get_trace(one.trace_id)).root.tags for one in (first, waited)])
    """)
    assert told.text == "[{}, {'answer': 'good'}]\n"


async def test_in_a_cell_each_task_and_thread_has_its_own_last_one(notebook):
    told = await notebook.run("""
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier
        ended, all_ended = asyncio.Barrier(3), Barrier(3)
        async def ask():
            async with span("ask") as one:
                pass
            await ended.wait()
            return last_trace_id() == one.trace_id
        def work(_):
            with span("work") as one:
                pass
            all_ended.wait()
            return last_trace_id() == one.trace_id
        print(await asyncio.gather(ask(), ask(), ask()))
        with ThreadPoolExecutor(3) as pool:
            print(list(pool.map(work, range(3))))
    """)
    assert told.text == "[True, True, True]\n[True, True, True]\n"
    assert (await notebook.run("sync.get_trace(last_trace_id()).root.name")).result == "'work'"


async def test_a_trace_whose_root_goes_on_and_one_that_is_not_there(notebook):
    await notebook.run("job = span('job'); _ = job.__enter__()")
    await notebook.run("with span('part'): pass")
    made = await notebook.run("sync.get_trace(job.trace_id)")
    assert "what is above it is not here (yet)" in made.html
    await notebook.run("job.__exit__(None, None, None)")
    made = await notebook.run("sync.get_trace(job.trace_id)")
    assert "not here" not in made.html
    assert (await notebook.run("sync.get_trace('0' * 31 + '1')")).html is None


async def test_a_span_left_open_over_cells(notebook):
    await notebook.run("job = span('job'); _ = job.__enter__()")
    await notebook.run("with span('part'): pass")
    await notebook.run("async with span('part'): await asyncio.sleep(0)")
    told = await notebook.run("""
        print(current_span() is job)
        job.__exit__(None, None, None)
        print(current_span(), last_trace_id() == job.trace_id)
        print([span.name for span in (await get_trace(job.trace_id)).spans])
    """)
    assert told.text == "True\nNone True\n['job', 'part', 'part']\n"


async def test_a_span_left_open_by_a_cell_that_waits(notebook):
    await notebook.run("job = span('job'); await job.__aenter__()")
    # Such a cell is a task: what is current in it is so for no other.
    assert (await notebook.run("current_span()")).result is None
    told = await notebook.run("""
        await job.__aexit__(None, None, None)
        print(current_span(), (await get_trace(job.trace_id)).root.status)
    """)
    assert told.text == "None OK\n"


async def test_a_kernel_that_is_shut_down_has_delivered(notebook):
    # Where the data folder is, and what ended too late for the background thread's own pace.
    path = await notebook.run("""
        tracer = Tracer(delivery=Delivery(delay_s=3600))
        with tracer.span("job"):
            pass
        print(tracer)
    """)
    await notebook.shut_down()
    with contextlib.closing(Store(Path(re.search(r"/\S+\.db", path.text)[0]))) as store:
        assert [trace.root.name for trace in store.search()] == ["job"]
