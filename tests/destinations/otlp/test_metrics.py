"""Metrics of programs whose traces go to an OTLP server."""

from __future__ import annotations

import logging
import subprocess
import sys

import ollama
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from ollamatrace import Capture, Sampling, TracedClient, Tracer
from ollamatrace.destinations.otlp import publisher
from ollamatrace.settings import Otlp
from tests.clients.test_captures import call as make
from tests.clients.test_captures import ollama_options
from tests.destinations.mlflow.samples import call, no_pause, span
from tests.destinations.otlp.collector import Collector, decoded, plain
from tests.pipeline.tracers import balanced, end_spans, until

DURATION = "gen_ai.client.operation.duration"
CUMULATIVE = 2


@pytest.fixture
def tracer(collector):
    with Tracer(collector.url, experiment="Tests") as tracer:
        yield tracer


@pytest.fixture
def chat(replay):
    """Make a recorded call with a tracer."""

    def chat(tracer, name="ollama-native/chat"):
        server, capture = replay(name)
        [exchange] = capture["exchanges"]
        bare = ollama.Client(**ollama_options(server, capture))
        with bare._client:
            make(TracedClient(bare, tracer=tracer), capture, exchange)
        return int(server.url.rpartition(":")[2])

    return chat


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.DEBUG, "ollamatrace")

    def told(level):
        return [one.getMessage() for one in caplog.records if one.levelno == level]

    return told


def count(points):
    return sum(point.count for point in points)


def resource(collector, number):
    [group] = decoded(collector.reports[number], ExportMetricsServiceRequest).resource_metrics
    return plain(group.resource.attributes)


def test_a_call(collector, tracer, chat):
    port = chat(tracer)
    assert tracer.flush().delivered == 1
    found = collector.metrics()
    assert list(found) == [DURATION, "gen_ai.client.token.usage"]
    [point] = found[DURATION]
    known = plain(point.attributes)
    assert known == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "gemma3:270m",
        "gen_ai.response.model": "gemma3:270m",
        "server.address": "127.0.0.1",
        "server.port": port,
    }
    [span] = collector.spans.values()
    took_ns = span.end_time_unix_nano - span.start_time_unix_nano
    assert point.sum == point.min == point.max == pytest.approx(took_ns / 1e9)
    assert (point.count, list(point.explicit_bounds)[:3]) == (1, [0.01, 0.02, 0.04])
    assert (sum(point.bucket_counts), len(point.bucket_counts)) == (1, 15)
    assert point.start_time_unix_nano < span.start_time_unix_nano < point.time_unix_nano
    counts = plain(span.attributes)
    tokens = {plain(one.attributes)["gen_ai.token.type"]: one for one in found.popitem()[1]}
    for kind in ("input", "output"):
        assert tokens[kind].sum == counts[f"gen_ai.usage.{kind}_tokens"] > 0
    # The span says the same of the server.
    assert {name: counts[name] for name in known} == known


@pytest.mark.parametrize("keep", [(), ("errors",)])
def test_what_sampling_leaves_out_is_measured(collector, chat, keep):
    with Tracer(collector.url, sampling=Sampling(0, keep)) as tracer:
        chat(tracer)
        chat(tracer)
        assert balanced(tracer.flush()).sampled_out == 2
        assert count(collector.metrics()[DURATION]) == 2
    assert collector.requests == []


def test_metrics_have_what_the_rules_leave(collector, chat):
    hide = Capture(redact=(lambda text: text.replace("gemma3", "a model"),))
    with Tracer(collector.url, capture=hide) as tracer:
        chat(tracer)
        tracer.flush()
        [point] = collector.metrics()[DURATION]
    assert plain(point.attributes)["gen_ai.response.model"] == "a model:270m"


def test_what_a_report_is(collector, tracer, chat):
    chat(tracer)
    tracer.flush()
    [request] = collector.reports
    assert request["path"] == "/v1/metrics"
    [group] = decoded(request, ExportMetricsServiceRequest).resource_metrics
    known = plain(group.resource.attributes)
    assert known["ollamatrace.experiment"] == "Tests"
    assert len(known["service.instance.id"]) == 36
    [scope] = group.scope_metrics
    assert scope.scope.name == "ollamatrace"
    first = scope.metrics[0]
    assert (first.name, first.unit, first.description) == (
        DURATION,
        "s",
        "GenAI operation duration.",
    )
    assert first.histogram.aggregation_temporality == CUMULATIVE


def test_a_stream(collector, tracer, chat):
    chat(tracer, "ollama-native/chat_stream")
    tracer.flush()
    [span] = collector.spans.values()
    known = plain(span.attributes)
    [first] = collector.metrics()["gen_ai.client.operation.time_to_first_chunk"]
    [between] = collector.metrics()["gen_ai.client.operation.time_per_output_chunk"]
    assert first.sum == known["gen_ai.response.time_to_first_chunk"]
    assert between.count == known["ollamatrace.chunks"] - 1 > 3


def test_both_encodings_say_the_same(collector, open_channel):
    for protocol in ("http/protobuf", "http/json"):
        channel = open_channel(protocol=protocol, metrics=Otlp(protocol=protocol))
        channel.start()
        channel.measure(call())
        channel.publish(5, is_patient=True)
    one, two = (decoded(report, ExportMetricsServiceRequest) for report in collector.reports)
    content_types = [report["headers"]["content-type"] for report in collector.reports]
    assert content_types == ["application/x-protobuf", "application/json"]
    for report in (one, two):
        [group] = report.resource_metrics
        group.resource.Clear()
        for metric in group.scope_metrics[0].metrics:
            assert metric.histogram.data_points
            for point in metric.histogram.data_points:
                point.start_time_unix_nano = point.time_unix_nano = 1
    assert one == two


def test_totals_are_told_again_when_they_have_changed(collector, tracer, chat):
    chat(tracer)
    tracer.flush()
    tracer.flush()
    end_spans(tracer, "no call")
    tracer.flush()
    assert len(collector.reports) == 1
    chat(tracer)
    chat(tracer)
    tracer.flush()
    assert len(collector.reports) == 2
    [[first], second] = (collector.metrics(number)[DURATION] for number in (0, 1))
    assert (first.count, count(second)) == (1, 3)  # each server has a port of its own
    starts = {point.start_time_unix_nano for point in (first, *second)}
    assert len(starts) == 1
    assert resource(collector, 0) == resource(collector, 1)


def test_a_running_program_tells_by_itself(collector, tracer, chat, monkeypatch):
    monkeypatch.setattr(publisher, "_EVERY_S", 0.01)
    chat(tracer)
    until(lambda: collector.reports)
    chat(tracer)
    until(lambda: count(collector.metrics()[DURATION]) == 2)


def test_the_last_is_told_when_the_tracer_is_closed(collector, chat):
    with Tracer(collector.url) as tracer:
        chat(tracer)
    assert count(collector.metrics()[DURATION]) == 1


def test_what_was_measured_is_told_when_a_channel_is_closed(collector, open_channel):
    channel = open_channel(metrics=Otlp())
    channel.start()
    channel.measure(call())
    channel.close()
    until(lambda: collector.reports)
    channel.measure(call())
    channel.publish(5, is_patient=True)
    assert len(collector.reports) == 1


@pytest.mark.parametrize("status", [404, 405, 415, 501])
def test_a_server_that_takes_none_is_not_bothered_again(collector, tracer, chat, told, status):
    collector.answer_metrics((status,))
    for number in range(1, 3):
        chat(tracer)
        assert tracer.flush().delivered == number
    assert len(collector.reports) == 1
    assert len(told(logging.DEBUG)) == 1
    assert f"answers {status}: it takes no metrics" in told(logging.DEBUG)[0]
    assert not told(logging.WARNING)


def test_credentials_that_are_not_taken_are_told(collector, tracer, chat, told):
    collector.answer_metrics((401,))
    for number in range(1, 3):
        chat(tracer)
        assert tracer.flush().delivered == number
    assert len(collector.reports) == 1
    [text] = told(logging.WARNING)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in text
    assert "OTEL_METRICS_EXPORTER=none" in text


def test_a_server_that_was_down_gets_the_totals(collector, tracer, chat, told):
    collector.answer_metrics((503,), (500,))
    for number in range(1, 4):
        chat(tracer)
        assert tracer.flush().delivered == number
    assert len(collector.reports) == 3
    assert count(collector.metrics()[DURATION]) == 3
    assert len(told(logging.DEBUG)) == 2
    assert not told(logging.WARNING)


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_metrics_that_are_rejected_are_told(collector, tracer, chat, told, protocol):
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 2
    answer.partial_success.error_message = "too many"
    collector.answer_metrics((200, answer.SerializeToString()))
    chat(tracer)
    tracer.flush()
    [text] = told(logging.WARNING)
    assert "rejects 2 metrics: too many" in text


def test_metrics_that_hang_do_not_hold_up_spans(collector, tracer, chat):
    collector.answer_metrics(("hang",))
    chat(tracer)
    assert tracer.flush(timeout=0.2).accepted == 1
    until(lambda: len(collector.spans) == len(collector.reports) == 1)
    end_spans(tracer, *(f"s{number}" for number in range(20)))
    until(lambda: len(collector.spans) == 21)
    until(lambda: balanced(tracer.flush(timeout=0)).delivered == 21)
    collector.hang.set()


def test_at_the_end_a_server_that_was_down_is_not_waited_for(collector, open_channel):
    collector.answer_metrics((503,), ("hang",))
    channel = open_channel(metrics=Otlp(), timeout_s=600)
    channel.start()
    channel.measure(call())
    channel.publish(600, is_patient=False)
    channel.publish(600, is_patient=False)  # else this would take as long
    until(lambda: len(collector.reports) == 2)
    collector.hang.set()


def test_spans_that_hang_do_not_hold_up_metrics(collector, tracer, chat):
    collector.answer(("hang",))
    chat(tracer)
    until(lambda: tracer.flush(timeout=0.01) and collector.reports)
    collector.hang.set()


def test_the_child_of_a_fork_starts_anew(collector, open_channel):
    channel = open_channel(metrics=Otlp())
    for _ in range(2):
        channel.start()
        channel.measure(call())
        channel.publish(5, is_patient=True)
        channel.abandon()
    [[one], [two]] = (collector.metrics(number)[DURATION] for number in (0, 1))
    assert (one.count, two.count) == (1, 1)
    assert one.start_time_unix_nano < two.start_time_unix_nano
    first, second = (resource(collector, number).pop("service.instance.id") for number in (0, 1))
    assert first != second


def test_a_place_for_metrics_alone(collector, chat, monkeypatch, told):
    with Collector() as other:
        name = "OTEL_EXPORTER_OTLP_METRICS_{}"
        address = f"http://{other.address}/mine/v1/metrics"
        monkeypatch.setenv(name.format("ENDPOINT"), address)
        monkeypatch.setenv(name.format("HEADERS"), "x-key=k")
        monkeypatch.setenv(name.format("PROTOCOL"), "http/json")
        monkeypatch.setenv(name.format("COMPRESSION"), "none")
        other.answer_metrics((503,))
        with Tracer(collector.url) as tracer:
            chat(tracer)
            tracer.flush()
        until(lambda: len(other.reports) == 2)
        assert not collector.reports
        assert not other.requests
        headers = other.reports[-1]["headers"]
        assert (other.reports[-1]["path"], headers["x-key"]) == ("/mine/v1/metrics", "k")
        assert headers["content-type"] == "application/json"
        assert "content-encoding" not in headers
        assert count(other.metrics()[DURATION]) == 1
    assert "x-key" not in collector.requests[0]["headers"]
    [text] = told(logging.WARNING)
    assert f"{address} answers 503; metrics are sent again" in text


def test_metrics_that_are_turned_off(collector, chat, monkeypatch):
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    with Tracer(collector.url) as tracer:
        chat(tracer)
        assert tracer.flush().delivered == 1
    assert not collector.reports


def test_a_call_is_measured_once_for_each_place(collector, chat, tmp_path):
    servers = [collector.url, f"{collector.url}?names=openinference", f"sqlite:///{tmp_path}/a.db"]
    with Tracer(servers) as tracer:
        chat(tracer)
        tracer.flush()
    assert len(collector.reports) == count(collector.metrics()[DURATION]) == 1


def test_a_span_that_cannot_be_sent_is_measured(collector, tracer, chat):
    collector.answer(*[(401,)] * 10)
    chat(tracer)
    assert tracer.flush().spooled == 1
    assert count(collector.metrics()[DURATION]) == 1


def test_updates_are_no_calls(collector, open_channel):
    channel = open_channel(metrics=Otlp())
    channel.start()
    channel.measure(span())
    channel.publish(5, is_patient=True)
    channel.send([span()], no_pause)
    assert not collector.reports


PROGRAM = """
import os, sys
import ollama
from ollamatrace import TracedClient, Tracer

def chat():
    client.chat("m", [{"role": "user", "content": "Hi"}])

tracer = Tracer(sys.argv[1])
client = TracedClient(ollama.Client(sys.argv[2]), tracer=tracer)
try:
    chat()
except ConnectionError:
    pass
if sys.argv[3] == "fork":
    tracer.flush()
    child = os.fork()
    if not child:
        for _ in range(2):
            try:
                chat()
            except ConnectionError:
                pass
        tracer.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("way", ["exit", "fork"])
def test_a_program_that_ends_or_forks(collector, way):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, collector.url, "http://127.0.0.1:9", way],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    counts = [
        count(collector.metrics(number)[DURATION]) for number in range(len(collector.reports))
    ]
    assert counts == ([1] if way == "exit" else [1, 2])
    [point] = collector.metrics()[DURATION]
    known = plain(point.attributes)
    assert known["error.type"] == "ConnectionError"
    assert (known["server.address"], known["server.port"]) == ("127.0.0.1", 9)
    assert "gen_ai.response.model" not in known
