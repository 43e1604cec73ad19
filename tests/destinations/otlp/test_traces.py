"""Programs whose traces go to an OTLP server."""

from __future__ import annotations

import logging
import subprocess
import sys

import ollama
import openai
import pytest

from ollamatrace import TracedClient, Tracer, extract
from ollamatrace.pipeline import attempts
from tests.clients.test_captures import acall, call, ollama_options, openai_options
from tests.destinations.otlp.collector import decoded, plain
from tests.exchanges import names
from tests.pipeline.tracers import end_spans, until

OK, ERROR = 1, 2
CLIENT = 3
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def tracer(collector):
    with Tracer(collector.url, experiment="Tests") as tracer:
        yield tracer


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(attempts, "_FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(attempts, "_LAST_RETRY_S", 0.01)


@pytest.fixture
def traced(replay, tracer, collector):
    """Make a recorded call again; the span that arrives, and its attributes."""

    def make(name):
        server, capture = replay(name)
        [exchange] = capture["exchanges"]
        if "native" in name:
            bare = ollama.Client(**ollama_options(server, capture))
            with bare._client:
                call(TracedClient(bare, tracer=tracer), capture, exchange)
        else:
            with openai.OpenAI(**openai_options(server, capture)) as bare:
                call(TracedClient(bare, tracer=tracer), capture, exchange)
        assert tracer.flush().delivered == 1
        [span] = collector.spans.values()
        return span, plain(span.attributes)

    return make


def test_a_chat(traced):
    span, known = traced("ollama-native/chat")
    assert (span.name, span.kind, span.status.code) == ("chat gemma3:270m", CLIENT, OK)
    assert known["gen_ai.provider.name"] == "ollama"
    [asked] = known["gen_ai.input.messages"]
    [answered] = known["gen_ai.output.messages"]
    assert asked["parts"][0]["content"] == "What is the capital of France?"
    assert "Paris" in answered["parts"][0]["content"]
    assert answered["finish_reason"] == "stop"
    assert known["gen_ai.usage.input_tokens"] > 0
    assert known["ollama.total_duration"] > known["ollama.eval_duration"] > 0


def test_a_stream(traced):
    span, known = traced("ollama-v1/chat_stream_usage")
    assert known["gen_ai.request.stream"] is True
    assert 0 < known["gen_ai.response.time_to_first_chunk"] < 60
    assert known["ollamatrace.chunks"] > 2
    assert known["ollamatrace.end_reason"] == "exhausted"
    assert known["gen_ai.usage.output_tokens"] > 0
    assert not span.events


def test_thinking(traced):
    _, known = traced("ollama-native/chat_think_stream")
    kinds = [part["type"] for part in known["gen_ai.output.messages"][0]["parts"]]
    assert kinds == ["reasoning", "text"]


@pytest.mark.parametrize("name", ["ollama-native/chat_tools", "ollama-v1/tools_stream"])
def test_tool_calls(traced, name):
    _, known = traced(name)
    [tool] = known["gen_ai.tool.definitions"]
    assert (tool["type"], tool["name"]) == ("function", "get_weather")
    called = known["gen_ai.output.messages"][0]["parts"][-1]
    assert (called["type"], called["name"]) == ("tool_call", "get_weather")
    assert called["arguments"] == {"city": "Paris"}


def test_the_result_of_a_tool(traced):
    _, known = traced("ollama-v1/tools_result_turn")
    roles = [one["role"] for one in known["gen_ai.input.messages"]]
    assert roles == ["user", "assistant", "tool"]
    called, result = (one["parts"][0] for one in known["gen_ai.input.messages"][1:])
    assert called["id"] == result["id"] == "call_1"
    assert result["response"] == "Sunny, 24 C"


def test_responses(traced):
    span, known = traced("ollama-v1/responses")
    assert span.name == "chat gemma3:270m"
    assert known["gen_ai.response.id"] == "resp_417089"
    [answered] = known["gen_ai.output.messages"]
    assert answered["parts"] == [{"type": "text", "content": " The capital of France is Paris."}]


@pytest.mark.parametrize("name", ["ollama-native/embed", "ollama-v1/embeddings_float_batch"])
def test_embeddings(traced, name):
    span, known = traced(name)
    assert span.name.startswith("embeddings ")
    assert known["gen_ai.embeddings.dimension.count"] > 3
    assert known["gen_ai.usage.input_tokens"] > 0


def test_an_error(traced):
    span, known = traced("ollama-v1/err_unknown_model")
    assert span.status.code == ERROR
    assert span.status.message.startswith("NotFoundError")
    assert known["error.type"] == "openai.NotFoundError"
    [event] = span.events
    told = plain(event.attributes)
    assert event.name == "exception"
    assert told["exception.type"] == "openai.NotFoundError"
    assert "Traceback" in told["exception.stacktrace"]


def test_a_stream_that_the_program_leaves(traced):
    span, known = traced("ollama-v1/stream_client_stops_early")
    assert span.status.code == OK
    assert known["ollamatrace.end_reason"] == "closed"
    assert known["gen_ai.output.messages"][0]["finish_reason"] == "closed"


@pytest.mark.parametrize("names_", ["genai", "openinference"])
@pytest.mark.parametrize("sdk", ["openai", "ollama"])
def test_all_that_was_recorded_arrives_in_either_vocabulary(sdk, names_, replay, collector):
    """Every recorded exchange: that one which cannot be mapped would be refused, and counted."""
    made = 0
    with Tracer(f"{collector.url}?names={names_}") as tracer:
        for name in names(sdk=sdk):
            if name.endswith("err_client_timeout"):
                continue  # waits
            server, capture = replay(name)
            for exchange in capture["exchanges"]:
                made += 1
                if sdk == "ollama":
                    bare = ollama.Client(**ollama_options(server, capture))
                    with bare._client:
                        call(TracedClient(bare, tracer=tracer), capture, exchange)
                else:
                    with openai.OpenAI(**openai_options(server, capture)) as bare:
                        call(TracedClient(bare, tracer=tracer), capture, exchange)
        report = tracer.flush(30)
    assert (report.delivered, report.dropped) == (made, 0)
    spans = [
        span
        for export in collector.exports
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert len(spans) == made > 30
    marked = "gen_ai.input.messages" if names_ == "genai" else "llm.input_messages.0.message.role"
    told = [plain(span.attributes) for span in spans]
    assert sum(marked in known for known in told) > made / 2


async def test_an_asynchronous_call(replay, collector, tracer):
    server, capture = replay("ollama-native/async_chat")
    bare = ollama.AsyncClient(**ollama_options(server, capture))
    async with bare._client:
        await acall(TracedClient(bare, tracer=tracer), capture, capture["exchanges"][0])
    await tracer.aflush()
    [(name, span)] = collector.spans.items()
    assert name == "chat gemma3:270m"
    assert plain(span.attributes)["ollamatrace.name"] == "AsyncChat"


def test_manual_spans_remote_parents_and_links(collector, tracer):
    with tracer.span("other") as other:
        pass
    with extract({"traceparent": f"00-{TRACE}-{PARENT}-01"}), tracer.span("agent", "AGENT") as top:
        top.inputs = {"question": "Why?"}
        top.link(other)
        with tracer.span("tool", "TOOL") as tool:
            tool.inputs = {"city": "Paris"}
            tool.outputs = "Sunny"
    tracer.flush()
    got = collector.spans
    assert got["agent"].trace_id.hex() == got["tool"].trace_id.hex() == TRACE
    assert got["agent"].parent_span_id.hex() == PARENT
    assert got["tool"].parent_span_id == got["agent"].span_id
    assert got["other"].parent_span_id == b""
    [link] = got["agent"].links
    assert link.trace_id == got["other"].trace_id
    assert link.span_id == got["other"].span_id
    assert plain(got["tool"].attributes)["gen_ai.tool.call.result"] == "Sunny"


def test_a_cancelled_span(collector, tracer):
    with pytest.raises(KeyboardInterrupt), tracer.span("work"):
        raise KeyboardInterrupt
    tracer.flush()
    span = collector.spans["work"]
    known = plain(span.attributes)
    assert span.status.code == ERROR
    assert known["ollamatrace.status"] == "CANCELLED"
    assert known["ollamatrace.end_reason"] == "cancelled"
    assert (known["error.type"], span.status.message) == ("cancelled", "KeyboardInterrupt")


def test_what_is_too_much_together_is_sent_in_parts(collector, tracer, quick):
    def judged(request):
        spans = decoded(request).resource_spans[0].scope_spans[0].spans
        return (413 if any(span.name == "poison" for span in spans) else 200), b"", {}

    collector.answer(*[(judged,)] * 50)
    end_spans(tracer, "a", "b", "poison", "c")
    report = tracer.flush(20)
    assert (report.delivered, report.dropped) == (3, 1)


def test_a_server_that_is_down_gets_everything_later(collector, tracer, quick):
    collector.answer((503,), (429, b"", {"retry-after": "0"}), (502,))
    end_spans(tracer, "a")
    until(lambda: len(collector.requests) == 4)
    assert tracer.flush().delivered == 1


def test_credentials_that_are_not_taken_are_told_once(collector, tracer, caplog):
    collector.answer((401,))
    end_spans(tracer, "a")
    assert tracer.flush().spooled == 1
    assert "OTEL_EXPORTER_OTLP_HEADERS" in caplog.text
    end_spans(tracer, "b")
    assert tracer.flush().delivered == 2


def test_one_tracer_may_send_the_same_in_both_vocabularies(collector):
    caught = [collector.url, f"{collector.url}?names=openinference"]
    with Tracer(caught) as tracer:
        end_spans(tracer, "a")
        report = tracer.flush()
    assert sorted(report.destinations) == [
        f"{collector.url}/v1/traces",
        f"{collector.url}/v1/traces?names=openinference",
    ]
    assert len(collector.requests) == 2


def test_the_environment_names_the_server(collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector.address}/otel")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "me")
    with Tracer("otlp:") as tracer:
        end_spans(tracer, "a")
    [request] = collector.requests
    assert (request["path"], request["headers"]["x-key"]) == ("/otel/v1/traces", "k")
    told = plain(collector.exports[0].resource_spans[0].resource.attributes)
    assert told["service.name"] == "me"


def test_that_environment_is_not_read_for_other_destinations(monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "ollamatrace")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "nonsense")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")
    with Tracer([f"sqlite:///{tmp_path}/a.db", "http://127.0.0.1:9"]):
        pass
    assert not caplog.text


PROGRAM = """
import sys
from ollamatrace import Tracer
def loaded():
    return sorted({"opentelemetry", "google.protobuf", "httpx", "httpx2"} & set(sys.modules))
with Tracer(sys.argv[1]) as tracer:
    print(*loaded())
    with tracer.span("a"):
        pass
    print(tracer.flush(timeout=20).delivered, "opentelemetry" in sys.modules)
"""


@pytest.mark.parametrize(("protocol", "is_needed"), [("http/protobuf", True), ("http/json", False)])
def test_the_library_is_imported_for_the_first_span(collector, protocol, is_needed, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, collector.url],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (f"\n1 {is_needed}\n", "")
