"""What the tests of the command line share: recordings, a filled store, a way to run commands."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ollamatrace.records import Content, SpanRecord, Timing, Usage
from ollamatrace.store import Store

NS = 1_000_000_000
BEGAN = 1_790_000_000 * NS


def span(
    trace_id,
    number,
    *,
    name="Chat",
    kind="CHAT_MODEL",
    parent=None,
    start=0.0,
    took=1.0,
    status="OK",
    given=None,
    gave=None,
    events=(),
    **more,
):
    """A finished span; `number` is its id, `start` and `took` are seconds."""
    start_ns = BEGAN + round(start * NS)
    return SpanRecord(
        name=name,
        kind=kind,
        trace_id=trace_id,
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        start_ns=start_ns,
        end_ns=start_ns + round(took * NS),
        status=status,
        end_reason="returned" if status == "OK" else "error",
        input_content=Content(given),
        output_content=Content(gave),
        event_content=Content(list(events)),
        **more,
    )


def chat(trace_id, number, *, asked="Why is the sky blue?", said="Rayleigh.", **more):
    return span(
        trace_id,
        number,
        given={"model": "m:1b", "messages": [{"role": "user", "content": asked}]},
        gave={"message": {"role": "assistant", "content": said}},
        model="m:1b",
        **more,
    )


def agent(trace_id, **more):
    """An agent with a streamed call, a tool and a call that failed."""
    failed = {
        "name": "exception",
        "time_ns": BEGAN + NS,
        "attributes": {
            "exception.type": "openai.BadRequestError",
            "exception.message": "too long",
            "exception.stacktrace": 'Traceback (most recent call last):\n  File "x.py", line 3',
        },
    }
    return [
        span(trace_id, 1, name="agent", kind="AGENT", took=3.0),
        chat(
            trace_id,
            2,
            parent=1,
            start=0.1,
            usage=Usage(input_tokens=13, output_tokens=8, total_tokens=21),
            timing=Timing(
                first_token_ns=52_000_000, load_ns=1_990_000_000, eval_ns=200_000_000, chunks=8
            ),
            **more,
        ),
        span(
            trace_id,
            3,
            name="get_weather",
            kind="TOOL",
            parent=1,
            start=1.2,
            took=0.00002,
            given={"city": "Paris"},
            gave="Sunny",
        ),
        chat(
            trace_id,
            4,
            parent=1,
            start=1.5,
            status="ERROR",
            events=[failed],
            said="",
            status_message="BadRequestError: too long",
            warnings=["the prompt was cut"],
        ),
    ]


@pytest.fixture
def make():
    """Functions that make finished spans."""
    return SimpleNamespace(span=span, chat=chat, agent=agent)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def fill(path):
    """Write spans into the store."""
    store = Store(path)

    def write(*spans, experiment="Default"):
        store.write(spans, experiment=experiment)

    yield write
    store.close()


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """An environment that says nothing about stores and servers, with a data folder of its own."""
    for name in list(os.environ):
        if name.startswith(("OLLAMA", "MLFLOW_", "OTEL_")) or name == "NO_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("OLLAMATRACE_STRICT", "1")
    return monkeypatch


@pytest.fixture
def run(environ):
    """Run a command in a process of its own."""

    def command(*arguments, text=True, **options):
        return subprocess.run(
            [sys.executable, "-m", "ollamatrace", *map(str, arguments)],
            capture_output=True,
            text=text,
            timeout=100,
            **options,
        )

    return command


@pytest.fixture
def diagnose(run, environ):
    """Run it; gives the exit code and the findings by what was looked at."""
    environ.setenv("OLLAMATRACE_EXPERIMENT", "Tests")

    def diagnose(*arguments, **options):
        done = run("doctor", "--json", *arguments, **options)
        assert done.stderr == ""
        answer = json.loads(done.stdout)
        assert answer["ok"] == (done.returncode == 0)
        found = {}
        for one in answer["findings"]:
            found.setdefault(one["check"], []).append((one["level"], one["text"]))
        return done.returncode, {check: max(some) for check, some in found.items()}

    return diagnose
