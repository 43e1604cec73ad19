"""What `update_trace` says reaches the trace that is meant, and nothing else."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading

import ollama
import pytest

from ollamatrace import TracedClient, Tracer, last_trace_id, session, span, update_trace
from ollamatrace.store import Store
from ollamatrace.sync import get_trace, search_traces
from ollamatrace.testing import MemoryTracer
from tests.exchanges import arguments, load

ALL = {
    "session": "chat-7",
    "user": "ada",
    "tags": {"answer": "good"},
    "metadata": {"release": "1.2"},
}


def said(record):
    return {name: getattr(record, name) for name in ALL}


def finished(tracer):
    """The records by name, once what was said before has been applied."""
    with tracer.span("end"):
        pass
    return {record.name: record for record in tracer.finished() if record.name != "end"}


@pytest.fixture
def warnings(caplog):
    def texts():
        return [record.getMessage() for record in caplog.records]

    return texts


def test_what_lists_of_traces_show_is_kept_as_metadata(tracer):
    with span("root"):
        update_trace(
            metadata={"release": "1.2"},
            client_request_id="req-42",
            request_preview="asked",
            response_preview=7,
        )
    assert finished(tracer)["root"].metadata == {
        "release": "1.2",
        "client_request_id": "req-42",
        "request_preview": "asked",
        "response_preview": "7",
    }


def test_an_open_trace(tracer, warnings):
    with span("root"):
        with span("before"):
            pass
        with span("inner"):
            update_trace(**ALL, name="renamed")
        with span("after"), span("deep"):
            pass
    records = finished(tracer)
    assert records.keys() == {"renamed", "before", "inner", "after", "deep"}
    for name in ("renamed", "inner", "after", "deep"):
        assert said(records[name]) == ALL
    assert warnings() == []


def test_said_again_it_adds_and_replaces_by_key(tracer):
    with span("root"):
        update_trace(user="ada", tags={"a": "1", "b": "1"}, metadata={"m": "1"})
        update_trace("chat-8", tags={"b": "2", "c": "2"}, name="first")
        update_trace(metadata={"n": "2"}, name="second")
    [record] = finished(tracer).values()
    assert said(record) == {
        "session": "chat-8",
        "user": "ada",
        "tags": {"a": "1", "b": "2", "c": "2"},
        "metadata": {"m": "1", "n": "2"},
    }
    assert record.name == "second"


def test_its_session_beats_that_of_a_block(tracer):
    with session("block"), span("root"):
        update_trace(user="ada")
        with span("before"):
            pass
        assert tracer.flush().pending == 0
        update_trace("said")
        with session("other"), span("after"):
            pass
    records = finished(tracer)
    assert {name: one.session for name, one in records.items()} == {
        "before": "block",
        "after": "said",
        "root": "said",
    }


def test_a_trace_that_has_ended(tracer):
    with span("root"), span("inner"):
        pass
    update_trace(**ALL, name="renamed")
    update_trace(tags={"answer": "bad"})
    records = finished(tracer)
    assert records.keys() == {"renamed", "inner"}
    for record in records.values():
        assert said(record) == {**ALL, "tags": {"answer": "bad"}}


def test_the_trace_of_a_call(ollama_call, tracer):
    ollama_call()
    update_trace(**ALL, name="question")
    [record] = finished(tracer).values()
    assert (record.name, record.kind) == ("question", "CHAT_MODEL")
    assert said(record) == ALL


def test_only_the_trace_that_is_meant(tracer):
    with span("one"):
        pass
    with span("two"):
        pass
    update_trace(user="ada")
    with span("three"):
        pass
    records = finished(tracer)
    assert {name: one.user for name, one in records.items()} == {
        "one": None,
        "two": "ada",
        "three": None,
    }


def test_a_stream_that_goes_on_below_a_root_that_has_ended(ollama_call, tracer):
    with span("root"):
        stream = ollama_call("ollama-native/chat_stream")
    update_trace(**ALL)
    for _ in stream:
        pass
    records = finished(tracer)
    assert said(records["Chat"]) == said(records["root"]) == ALL


async def test_tasks_speak_about_their_own_traces(tracer):
    async def work(name):
        async with span(name):
            await asyncio.sleep(0)
            update_trace(user=name)
            await asyncio.sleep(0)
        update_trace(tags={"of": name})

    await asyncio.gather(*(work(f"task {number}") for number in range(20)))
    for name, record in finished(tracer).items():
        assert (record.user, record.tags) == (name, {"of": name})


async def test_a_task_below_the_root(tracer):
    async def work():
        async with span("inner"):
            update_trace(user="ada")

    async with span("root"):
        await asyncio.create_task(work())
    records = finished(tracer)
    assert {one.user for one in records.values()} == {"ada"}


def test_another_thread_speaks_about_the_trace_it_works_for(tracer):
    def work(parent):
        with span("work", parent=parent):
            update_trace(user="ada")
        assert last_trace_id() == parent.trace_id
        update_trace(tags={"late": "yes"})  # nothing is open here, but the root is, over there

    with span("root") as root:
        thread = threading.Thread(target=work, args=(root,))
        thread.start()
        thread.join()
        tracer.flush()
    records = finished(tracer)
    assert {name: one.user for name, one in records.items()} == {"work": "ada", "root": "ada"}
    assert records["root"].tags == {"late": "yes"}


def test_many_threads_speak_about_one_trace(tracer):
    def work(parent, number):
        with span("work", parent=parent):
            update_trace(tags={str(number): "here"})

    with span("root") as root:
        threads = [threading.Thread(target=work, args=(root, n)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(finished(tracer)["root"].tags) == 20


def test_each_tracer_has_its_own_trace(tracer):
    with MemoryTracer() as other:
        with tracer.span("here"):
            with other.span("there"):
                update_trace(user="ada")
            update_trace(user="bob")
        assert finished(other)["there"].user == "ada"
    assert finished(tracer)["here"].user == "bob"


def test_nothing_here_is_one_warning(tracer, warnings):
    context = contextvars.Context()
    for _ in range(3):
        context.run(update_trace, user="ada")
    [text] = warnings()
    assert "no span is open here" in text
    assert tracer.stats().accepted == 0


def test_nothing_here_is_no_warning_if_nothing_is_traced(monkeypatch, warnings):
    monkeypatch.setenv("OLLAMATRACE_DISABLED", "1")
    contextvars.Context().run(update_trace, user="ada")
    assert warnings() == []


def test_a_trace_before_the_tracer_was_switched_off_is_not_meant(tracer):
    with span("before"):
        pass
    tracer.disable()
    with span("silent"):
        update_trace(user="ada")
    tracer.enable()
    assert finished(tracer)["before"].user is None


def test_a_closed_tracer_is_one_warning(warnings):
    with MemoryTracer() as tracer, tracer.span("root"):
        pass
    for _ in range(3):
        update_trace(user="ada")
    [text] = warnings()
    assert "its tracer is closed" in text


def test_the_last_trace_keeps_no_tracer_alive(warnings):
    def work():
        tracer = MemoryTracer()
        with tracer.span("root"):
            pass
        tracer.flush()  # a span that is on its way does

    work()
    gc.collect()
    update_trace(user="ada")
    [text] = warnings()
    assert "its tracer is no longer there" in text


class Odd:
    def __str__(self):
        raise RuntimeError


def test_values_of_any_type(tracer, warnings):
    with span("root"):
        update_trace(5, user=Odd(), tags={1: None, "half": "\ud83d", "odd": Odd()}, name=b"x")
        update_trace(tags=["no mapping"], metadata="text")
        update_trace(user=None, tags=None)
    [record] = finished(tracer).values()
    assert (record.session, record.user, record.name) == ("5", "<Odd>", "b'x'")
    assert record.tags == {"1": "None", "half": "\\ud83d", "odd": "<Odd>"}
    assert record.metadata == {}
    assert [text.partition(",")[0] for text in warnings()] == [
        "update_trace: tags takes a mapping of texts",
        "update_trace: metadata takes a mapping of texts",
    ]
    record.line()


@pytest.mark.parametrize(
    ("what", "longest"),
    [
        ("session", 250),
        ("user", 250),
        ("name", 4096),
        ("client_request_id", 50),
        ("request_preview", 1000),
        ("response_preview", 1000),
    ],
    ids=str,
)
def test_a_text_that_mlflow_will_cut_is_said_once(what, longest, tracer, warnings):
    with span("root"):
        update_trace(**{what: "x" * longest})
        assert warnings() == []
        update_trace(**{what: "x" * (longest + 1)})
        update_trace(**{what: "y" * 5000})
    [text] = warnings()
    assert f"{what} of {longest + 1} characters; MLflow keeps the first {longest}" in text
    [record] = finished(tracer).values()
    assert getattr(record, what, record.metadata.get(what)) == "y" * 5000


@pytest.mark.parametrize(("what", "longest"), [("tags", 4096), ("metadata", 250)])
def test_tags_and_metadata_that_mlflow_will_cut_are_said_once(what, longest, tracer, warnings):
    too_long = {"k" * 251: "v", "k": "x" * (longest + 1)}
    with span("root"):
        update_trace(**{what: {"k" * 250: "x" * longest}})
        assert warnings() == []
        update_trace(**{what: too_long})
        update_trace(**{what: too_long})
    key, value = warnings()
    assert f"{what} with a key of 251 characters" in key
    assert f"{what} of {longest + 1} characters; MLflow keeps the first {longest}" in value
    [record] = finished(tracer).values()
    assert getattr(record, what) == {"k" * 250: "x" * longest, **too_long}


def test_a_block_with_a_session_that_mlflow_will_cut_says_so(tracer, warnings):
    with session("x" * 250), span("whole"):
        pass
    assert warnings() == []
    with session("y" * 251), span("cut"):
        pass
    [text] = warnings()
    assert "an id of 251 characters; MLflow keeps the first 250" in text
    assert finished(tracer)["cut"].session == "y" * 251


@pytest.mark.parametrize("late", [False, True])
def test_the_embedded_store_finds_it(tmp_path, late):
    with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with span("other"):
            pass
        with span("root") as root, span("inner"):
            if not late:
                update_trace(**ALL, name="renamed")
        if late:
            assert tracer.flush().pending == 0
            update_trace(**ALL, name="renamed")
        with tracer.span("end"):
            pass
        [trace] = search_traces(session="chat-7")
        assert trace.trace_id == root.trace_id
        assert [one.name for one in trace.spans] == ["renamed", "inner"]
        assert all(said(one) == ALL for one in trace.spans)
        assert len(search_traces("renamed")) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_speaks_about_the_trace_of_its_parent(tmp_path):
    path = tmp_path / "x.db"
    with Tracer(f"sqlite:///{path}") as tracer:
        with tracer.span("root") as root:
            update_trace(tags={"before": "fork"})
            child = os.fork()
            if not child:
                with tracer.span("inner"):
                    update_trace(user="ada")
                os._exit(tracer.flush().dropped)
            assert os.waitpid(child, 0)[1] == 0
        tracer.flush()
        spans = {one.name: one for one in get_trace(root.trace_id).spans}
    assert spans["inner"].user == "ada"
    assert spans["inner"].tags == {"before": "fork"}
    assert spans["root"].tags == {"before": "fork"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_changes_what_its_parent_has_stored(tmp_path):
    path = tmp_path / "x.db"
    with Tracer(f"sqlite:///{path}") as tracer:
        with tracer.span("root") as root:
            with tracer.span("inner"):
                pass
            tracer.flush()
            child = os.fork()
            if not child:
                update_trace(user="ada")
                with tracer.span("of the child"):
                    pass
                os._exit(tracer.flush().dropped)
            assert os.waitpid(child, 0)[1] == 0
        stored = Store(path)
        spans = {one.name: one for one in stored.get(root.trace_id).spans}
        stored.close()
    assert spans["inner"].user == "ada"


@pytest.fixture
def ollama_call(replay, tracer):
    """Make a recorded call through a traced client."""
    opened = []

    def call(name="ollama-native/chat"):
        server, _ = replay(name)
        bare = ollama.Client(host=server.url)
        opened.append(bare._client)
        return TracedClient(bare, tracer=tracer).chat(**arguments(load(name)["exchanges"][0]))

    yield call
    for client in opened:
        client.close()
