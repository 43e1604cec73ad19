"""What people see in MLflow's page, in a real Chromium: a span's `url` leads there."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import time

import ollama
import openai
import pytest

from ollamatrace import TracedClient, Tracer, last_trace_id
from tests.servers import golden
from tests.servers.test_native import call

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom",
)  # fmt: skip
DEADLINE_S = 150
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="session")
def chromium():
    found = shutil.which("chromium")
    assert found, "there is no Chromium: see .ci/run"
    return found


@pytest.fixture
def shows(chromium, tmp_path):
    """Wait until a page shows all that is expected; the page is loaded anew until then."""

    def look(url, *expected):
        deadline = time.monotonic() + DEADLINE_S
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path}/chromium", url]
        while True:
            page = subprocess.run(command, capture_output=True, text=True, timeout=100).stdout
            body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
            missing = [one for one in expected if one not in body]
            if not missing:
                return
            words = " ".join(re.sub(r"<[^>]+>", " ", body).split())
            assert time.monotonic() < deadline, f"{url} does not show {missing}, but {words}"

    return look


@pytest.fixture
def tracer(sqlite_server, experiment):
    with Tracer(sqlite_server.url, experiment=experiment) as tracer:
        yield tracer


@pytest.fixture
def play(tracer, replay):
    """Play a recorded call of Ollama's own client back; gives the address of its trace."""

    def play(name):
        server, capture = replay(f"ollama-native/{name}")
        call(TracedClient(ollama.Client(host=server.url), tracer=tracer), capture)
        return delivered(tracer)

    return play


def delivered(tracer):
    report = tracer.flush(timeout=20)
    assert report.delivered == report.accepted, report
    return tracer.page(last_trace_id())


def test_thinking(play, shows):
    shows(play("chat_think"), "What is the capital of France?", "Assistant", "Reasoning", "88")


def test_tools(play, shows):
    shows(play("chat_tools"), "Tools", "Tool calls", "get_weather", "Paris")


def test_an_error(play, shows):
    shows(play("err_unknown_model"), "Error", "no-such-model", "Events")


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_an_image(kind, tracer, model_server, shows, replay):
    if kind == "openai":
        golden.call(
            "chat_image_input", lambda one: TracedClient(one, tracer=tracer), model_server.url
        )
        expected = "What is this?"
    else:
        server, _ = replay("ollama-native/chat")
        client = TracedClient(ollama.Client(host=server.url), tracer=tracer)
        messages = [{"role": "user", "content": "What is in it?", "images": [PIXEL]}]
        client.chat("gemma3:270m", messages)
        client._client.close()
        expected = "What is in it?"
    shows(delivered(tracer), expected, "User", '<img src="blob:')


def test_a_tree_and_its_row_in_the_list(tracer, model_server, shows):
    with openai.OpenAI(base_url=model_server.url + "/v1", api_key="x") as bare:
        client = TracedClient(bare, tracer=tracer)
        with tracer.span("agent", kind="AGENT") as agent:
            agent.inputs = {"question": "Is it there?"}
            client.chat.completions.create(model="llama3.2:1b", messages=golden.messages())
            agent.outputs = "It is."
    early = agent.url
    delivered(tracer)
    assert agent.url != early
    for url in (early, agent.url):  # before and after it was known which experiment it is in
        shows(url, "agent", "Completions", "Is it there?", "It is.")
    shows(agent.url.rpartition("/")[0], "Is it there?", "It is.", "35", "OK")
