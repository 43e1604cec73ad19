"""A trace that goes on in another process, task or thread by its headers."""

from __future__ import annotations

import asyncio
import contextvars
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import ollama
import pytest
import trio

from ollamatrace import (
    TracedClient,
    Tracer,
    attach,
    current_span,
    extract,
    inject,
    last_trace_id,
    set_default,
    span,
    sync,
    update_trace,
)
from ollamatrace.testing import MemoryTracer
from tests.exchanges import arguments, load

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "congo=t61rcWkgMzE"}
DEADLINE_S = 60


def work(name="work"):
    with span(name):
        return inject()


def records(tracer):
    return {record.name: record for record in tracer.finished()}


def test_what_begins_inside_is_below_the_remote_span(tracer):
    with extract(INCOMING):
        assert current_span() is None
        with span("first") as first:
            assert current_span() is first
            work("inside")
        work("second")
        assert last_trace_id() == TRACE == first.trace_id
    work("after")
    found = records(tracer)
    parents = {name: one.parent_id for name, one in found.items()}
    after = parents.pop("after")
    assert parents == {"first": SPAN, "inside": first.span_id, "second": SPAN}
    assert {found[name].trace_id for name in parents} == {TRACE}
    assert after is None
    assert found["after"].trace_id != TRACE
    assert not any(record.links for record in found.values())


def test_times_are_those_of_this_machine(tracer):
    with span("before"), extract(INCOMING):
        work()
    inner, before = tracer.finished()
    assert before.start_ns <= inner.start_ns <= inner.end_ns <= before.end_ns


def test_calls_of_clients(tracer, replay):
    exchange = load("ollama-native/chat")["exchanges"][0]
    server, _ = replay("ollama-native/chat")
    bare = ollama.Client(host=server.url)
    with bare._client, extract(INCOMING):
        TracedClient(bare).chat(**arguments(exchange))
    [record] = tracer.finished()
    assert (record.trace_id, record.parent_id) == (TRACE, SPAN)


def test_inside_of_a_span_it_comes_first_and_the_tracer_stays():
    with MemoryTracer() as one, MemoryTracer() as other:
        set_default(other)
        with one.span("outer") as outer:
            with extract(INCOMING):
                work("remote")
                with other.span("of another tracer"):
                    pass
            assert current_span() is outer
        assert records(one)["remote"].parent_id == SPAN
        assert records(other)["of another tracer"].parent_id == SPAN


def test_nested(tracer):
    second = {"traceparent": f"00-{TRACE[::-1]}-{SPAN}-01"}
    with extract(INCOMING):
        with extract(second):
            work("inner")
        work("outer")
        with extract({}):
            work("nothing new")
    found = records(tracer)
    assert found["inner"].trace_id == TRACE[::-1]
    assert found["outer"].trace_id == found["nothing new"].trace_id == TRACE


async def test_tasks_made_inside_go_on_below_it(tracer):
    async def later():
        await asyncio.sleep(0)
        work("later")

    async def beside():
        work("beside")

    with extract(INCOMING):
        task = asyncio.create_task(later())
        await asyncio.create_task(beside(), context=contextvars.Context())
    await task
    found = records(tracer)
    assert found["later"].parent_id == SPAN
    assert found["beside"].parent_id is None


def test_tasks_of_trio(tracer):
    async def task(number):
        headers = {"traceparent": f"00-{TRACE}-{number:016x}-01"}
        with extract(headers):
            await trio.lowlevel.checkpoint()
            work(f"task {number}")

    async def main():
        async with trio.open_nursery() as nursery:
            for number in range(1, 9):
                nursery.start_soon(task, number)
        assert inject() == {}

    trio.run(main)
    found = records(tracer)
    for number in range(1, 9):
        assert found[f"task {number}"].parent_id == f"{number:016x}"


def test_a_generator_closed_elsewhere_leaves_nothing_behind(tracer, caplog):
    def produce():
        with extract(INCOMING):
            yield work("inside")

    made = produce()
    next(made)
    thread = threading.Thread(target=made.close)
    thread.start()
    thread.join()
    work("after")
    assert records(tracer)["after"].parent_id is None
    assert inject() == {}
    assert not caplog.records


def test_flags_and_state_are_passed_on(tracer):
    for flags, sent in (("00", "00"), ("01", "01"), ("03", "03"), ("ff", "03"), ("f8", "00")):
        with extract({**INCOMING, "traceparent": f"00-{TRACE}-{SPAN}-{flags}"}):
            with span("a"), span("b") as inner:
                headers = inject()
            assert headers["traceparent"] == f"00-{TRACE}-{inner.span_id}-{sent}"
            assert headers["tracestate"] == INCOMING["tracestate"]
    # What the one before does not record is not recorded here.
    assert len(tracer.finished()) == 6
    assert tracer.stats().sampled_out == 4
    with span("own") as own:
        assert inject() == {"traceparent": f"00-{own.trace_id}-{own.span_id}-01"}


def test_without_a_span_the_headers_are_passed_on_as_they_came(tracer):
    with extract(INCOMING):
        assert inject() == INCOMING
        with tracer.suppressed():
            assert work() == INCOMING
    assert inject() == {}
    headers = {"Accept": "*/*"}
    assert inject(headers) is headers
    assert headers == {"Accept": "*/*"}


def test_headers_of_another_span_are_replaced(tracer):
    with span("a") as one:
        ours = f"00-{one.trace_id}-{one.span_id}-01"
        given = {"TraceParent": "old", "traceparent": "older", "Tracestate": "a=1", "Accept": "x"}
        assert inject(given) is given
        assert given == {"TraceParent": ours, "Accept": "x"}
        environment = {"TRACEPARENT": "old"}
        assert inject(environment) == {"TRACEPARENT": ours}
        assert inject(httpx.Headers({"TraceParent": "old"}))["traceparent"] == ours


def test_headers_that_cannot_be_changed(tracer, monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    with span("a"):
        assert inject(()) == ()
    assert "the program goes on" in caplog.text


def test_a_span_of_another_thread_is_named_by_attach(tracer):
    with span("a") as one, attach(one):
        headers = inject()
    found = []

    def run():
        with extract(headers):
            found.append(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    first, second = tracer.finished()
    assert second.parent_id == first.span_id


CHILD = """
import os, sys
from ollamatrace import Tracer, extract, set_default, span

set_default(Tracer(sys.argv[1]))
with extract(os.environ), span("child"), span("in child"):
    pass
"""


def tree(trace):
    names = {one.span_id: one.name for one in trace.spans}
    return {(one.name, names.get(one.parent_id)) for one in trace.spans}


def test_a_child_process_by_its_environment(tmp_path):
    server = f"sqlite:///{tmp_path}/x.db"
    with Tracer(server) as tracer:
        with tracer.span("root") as root, tracer.span("call"):
            done = subprocess.run(
                [sys.executable, "-c", CHILD, server],
                env=inject(dict(os.environ)),
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
            )
        assert (done.returncode, done.stderr) == (0, "")
        tracer.flush()
        trace = sync.get_trace(root.trace_id)
        assert len(sync.search_traces()) == 1
    assert tree(trace) == {
        ("root", None),
        ("call", "root"),
        ("child", "call"),
        ("in child", "child"),
    }
    assert trace.root.name == "root"


def in_pool(server, headers):
    with Tracer(server) as tracer, extract(headers), tracer.span("in pool"):
        return os.getpid()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_of_processes(method, tmp_path):
    server = f"sqlite:///{tmp_path}/x.db"
    context = multiprocessing.get_context(method)
    with Tracer(server) as tracer:
        with tracer.span("root") as root, ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(in_pool, server, inject()).result(DEADLINE_S) != os.getpid()
        assert tree(sync.get_trace(root.trace_id)) == {("root", None), ("in pool", "root")}


def test_a_server_by_the_headers_of_a_request(tracer):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            with extract(self.headers):
                body = json.dumps(work("server")).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with span("client") as client:
            url = f"http://127.0.0.1:{server.server_port}"
            passed_on = httpx.post(url, headers=inject({}), trust_env=False).json()
        thread.join()
    found = records(tracer)
    assert found["server"].parent_id == client.span_id
    assert passed_on["traceparent"].startswith(f"00-{client.trace_id}-")


def test_the_same_headers_inside_of_their_own_block(tracer):
    incoming = extract(INCOMING)
    with incoming, incoming, span("outer"), incoming, span("inner"), extract(INCOMING):
        update_trace(user="ada")
        work("innermost")
    assert inject() == {}
    found = records(tracer)
    assert found["outer"].parent_id == SPAN
    assert found["inner"].parent_id == found["outer"].span_id
    assert found["innermost"].parent_id == found["inner"].span_id
    assert {record.user for record in found.values()} == {"ada"}


def test_another_span_of_the_same_trace_comes_first(tracer):
    other = "00f067aa0ba902b7"
    incoming = extract(INCOMING)
    with incoming, span("outer"), extract({"traceparent": f"00-{TRACE}-{other}-01"}), incoming:
        work("inner")
        work("second")
    found = records(tracer)
    assert (found["outer"].parent_id, found["inner"].parent_id) == (SPAN, SPAN)
    assert inject() == {}


def test_the_same_headers_in_two_contexts(tracer):
    incoming = extract(INCOMING)
    here, there = contextvars.copy_context(), contextvars.copy_context()
    here.run(incoming.__enter__)
    outer = there.run(span("outer").__enter__)
    there.run(incoming.__enter__)
    here.run(incoming.__exit__, None, None, None)
    here.run(work, "here")
    there.run(work, "there")
    there.run(incoming.__exit__, None, None, None)
    there.run(work, "there at last")
    there.run(outer.__exit__, None, None, None)
    found = records(tracer)
    assert (found["here"].parent_id, found["there"].parent_id) == (None, SPAN)
    assert found["there at last"].parent_id == outer.span_id
