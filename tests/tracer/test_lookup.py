"""Which tracer a call uses."""

from __future__ import annotations

import gc

import pytest

from ollamatrace import (
    ClosedError,
    ConfigError,
    TracedClient,
    Tracer,
    get_trace,
    search_traces,
    set_default,
    span,
    sync,
    tracer_of,
)
from ollamatrace.settings import default_store
from ollamatrace.testing import MemoryTracer
from tests.exchanges import arguments, load

CHAT = arguments(load("ollama-native/chat")["exchanges"][0])


@pytest.fixture
def client(replay):
    import ollama

    server, _ = replay("ollama-native/chat")
    bare = ollama.Client(host=server.url)
    with bare._client:
        yield bare


def test_the_only_live_one(client):
    traced = TracedClient(client)
    with MemoryTracer() as only:
        assert tracer_of(traced) is only
    with MemoryTracer() as next_one:
        assert tracer_of(traced) is next_one


def test_two_live_ones_leave_it_to_the_environment(client, monkeypatch, tmp_path):
    monkeypatch.setenv("OLLAMATRACE_SERVER", f"sqlite:///{tmp_path}/env.db")
    with MemoryTracer() as one, MemoryTracer() as two:
        found = tracer_of(TracedClient(client))
        assert found not in (one, two)
        assert "env.db" in repr(found)
        assert tracer_of(TracedClient(client)) is found
        set_default(two)
        assert tracer_of(TracedClient(client)) is two


def test_the_environments_does_not_count_as_one(client):
    assert tracer_of(TracedClient(client)) is not None
    with MemoryTracer() as only:
        assert tracer_of(TracedClient(client)) is only


def test_an_open_span_beats_the_default(client):
    with MemoryTracer() as one, MemoryTracer() as two:
        set_default(one)
        with two.span("agent"):
            assert tracer_of(TracedClient(client)) is two
            assert tracer_of(TracedClient(client, tracer=one)) is one


def test_a_collected_one_is_not_live(client):
    gone, stays = MemoryTracer(), MemoryTracer()
    del gone
    gc.collect()
    assert tracer_of(TracedClient(client)) is stays
    stays.close()


def test_server_of_a_client_is_the_servers_own(client, tmp_path):
    server = f"sqlite:///{tmp_path}/x.db"
    traced = TracedClient(client, server=server)
    with span("agent", kind="AGENT") as agent:
        answer = traced.chat(**CHAT)
    trace = sync.get_trace(agent.trace_id)
    assert [one.name for one in trace.spans] == ["agent", "Chat"]
    assert trace.root.name == "agent"
    assert trace.spans[1].outputs == answer.model_dump()
    assert (tmp_path / "x.db").exists()
    assert not default_store().exists()


def test_nothing_set_up_means_the_embedded_store(client):
    TracedClient(client).chat(**CHAT)
    [trace] = sync.search_traces()
    assert trace.root.inputs == CHAT
    assert default_store().exists()


def test_experiment_alone_has_the_environments_server(client, monkeypatch, tmp_path):
    monkeypatch.setenv("OLLAMATRACE_SERVER", f"sqlite:///{tmp_path}/env.db")
    assert "env.db" in repr(tracer_of(TracedClient(client, experiment="mine")))


@pytest.mark.parametrize("server", ["otlp+grpc://localhost:4317", "postgres://x", "traces.db", ""])
def test_an_environment_that_cannot_work_loses_nothing(server, client, monkeypatch, caplog):
    monkeypatch.setenv("OLLAMATRACE_SERVER", server)
    traced = TracedClient(client)
    assert traced.chat(**CHAT).message.content
    traced.chat(**CHAT)
    assert len(sync.search_traces()) == 2
    assert caplog.text.count("traces go to sqlite:///") == (1 if server else 0)


def test_a_default_store_that_is_not_ours(client, caplog, monkeypatch):
    default_store().parent.mkdir(parents=True)
    default_store().write_bytes(b"somebody else's notes, not a database")
    traced = TracedClient(client)
    assert traced.chat(**CHAT).message.content
    assert caplog.text.count("nothing is traced") == 1
    monkeypatch.setattr("ollamatrace.tracer.lookup._make", lambda: 1 / 0)
    assert traced.chat(**CHAT).message.content  # it is not tried again at each call
    assert tracer_of(traced) is None
    with span("silent") as silent:
        assert silent.trace_id == "0" * 32
    with pytest.raises(ConfigError, match="no tracer"):
        sync.search_traces()
    assert default_store().read_bytes() == b"somebody else's notes, not a database"


def test_a_tracking_uri_that_is_no_server_is_passed_over(client, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    TracedClient(client).chat(**CHAT)
    assert len(sync.search_traces()) == 1
    assert caplog.text.count("MLFLOW_TRACKING_URI=sqlite:///mlflow.db is passed over") == 1


@pytest.mark.parametrize(
    ("server", "hint"),
    [
        ("localhost:5000", "sqlite:///"),
        ("traces.db", "sqlite:///"),
        ("http://", "http://host:port"),
        ("otlp+grpc://localhost:4317", r"otlp\+http://localhost:4318"),
        ("otlp+http://localhost:4317", r"otlp\+http://localhost:4318"),
        ("otlp+ftp://localhost:4318", r"otlp\+http://…"),
        ("otlp+http://", r"reads `otlp\+http://"),
        ("sqlite:///", "sqlite:///traces.db"),
        ("sqlite:///:memory:", "sqlite:///traces.db"),
        ("sqlite:////tmp", "folder"),
        ([], "embedded store"),
        (5, "no text"),
        ([b"x"], "no text"),
    ],
)
def test_a_wrong_server_is_refused_and_the_fix_named(server, hint, client):
    with pytest.raises(ConfigError, match=hint):
        TracedClient(client, server=server)
    with pytest.raises(ConfigError, match=hint):
        Tracer(server)


@pytest.mark.parametrize("content", [b"not a database at all", None])
def test_a_foreign_file_is_refused_and_left_alone(content, client, tmp_path):
    import sqlite3

    path = tmp_path / "theirs.db"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"theirs\.db"):
        TracedClient(client, server=f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_the_same_place_has_one_tracer(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = tracer_of(TracedClient(client, server="sqlite:///x.db"))
    assert tracer_of(TracedClient(client, server=["sqlite:///x.db"])) is one
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert tracer_of(TracedClient(client, server="sqlite:///x.db")) is not one
    with Tracer(["console:", "console:"]) as twice:
        assert len(twice.stats().destinations) == 1


def test_several_servers_at_once(client, tmp_path):
    servers = [f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"]
    TracedClient(client, server=servers).chat(**CHAT)
    tracer = tracer_of(TracedClient(client, server=servers))
    report = tracer.flush()
    assert [one.delivered for one in report.destinations.values()] == [1, 1]
    for server in servers:
        with Tracer(server) as other:
            set_default(other)
            assert len(sync.search_traces()) == 1


async def test_reading_waits_for_what_has_ended(tmp_path):
    async with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
        with tracer.span("a") as a:
            pass
        [trace] = await search_traces()
        assert trace.trace_id == a.trace_id
        assert (await get_trace("tr-" + a.trace_id.upper())).root.name == "a"
        assert await get_trace("0" * 32) is None
        with pytest.raises(ValueError, match="32 hex"):
            await get_trace("nonsense")
    with pytest.raises(ClosedError, match="closed"):
        await tracer.search_traces()
    with pytest.raises(ClosedError):
        await tracer.get_trace("0" * 32)


async def test_a_tracer_without_a_store_cannot_be_asked():
    with Tracer("console:"), pytest.raises(ConfigError, match="embedded store"):
        await search_traces()


def test_reading_inside_a_running_loop(tmp_path):
    import asyncio

    async def main():
        with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
            with tracer.span("a"):
                pass
            return len(sync.search_traces())

    assert asyncio.run(main()) == 1


def test_reading_on_trio(tmp_path):
    import trio

    async def main():
        async with Tracer(f"sqlite:///{tmp_path}/x.db") as tracer:
            async with tracer.span("a"):
                await trio.lowlevel.checkpoint()
            await tracer.aflush()
            return await search_traces()

    assert len(trio.run(main)) == 1
