"""What is sent to an OTLP server, and what its answers mean."""

from __future__ import annotations

import gzip
import logging
import ssl
import subprocess

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from ollamatrace.pipeline import Broken, Denied, Refused, Unavailable
from ollamatrace.records import Timing, TraceUpdate
from tests.destinations.mlflow.samples import TRACE, call, no_pause, span
from tests.destinations.otlp.collector import Collector, plain

PROTOBUF = {"content-type": "application/x-protobuf"}
PROTOCOLS = pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])


@PROTOCOLS
def test_one_request_with_its_resource_and_scope(collector, open_channel, protocol):
    spans = [span(number, name=f"s{number}") for number in range(1, 71)]
    open_channel(protocol=protocol, service_name="me", compression="none").send(spans, no_pause)
    [export] = collector.exports
    [request] = collector.requests
    assert request["path"] == "/v1/traces"
    assert "content-encoding" not in request["headers"]
    assert list(collector.spans) == [f"s{number}" for number in range(1, 71)]
    for group in export.resource_spans:
        told = plain(group.resource.attributes)
        assert (told["service.name"], told["ollamatrace.experiment"]) == ("me", "Tests")
        [scope] = group.scope_spans
        assert scope.scope.name == "ollamatrace"
        assert scope.scope.version[0].isdecimal()


@PROTOCOLS
def test_bodies_are_compressed(collector, open_channel, protocol):
    open_channel(protocol=protocol).send([span()], no_pause)
    [request] = collector.requests
    assert request["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(request["body"])
    assert list(collector.spans) == ["step"]


def test_both_encodings_say_the_same(collector, open_channel):
    records = [call(1), span(2, name="manual", status="ERROR", status_message="no")]
    records[0].attributes["names"] = ["a", "b"]
    records[0].attributes["numbers"] = [1.5, 2.5]
    records[0].attributes["big"] = 2**63
    for protocol in ("http/protobuf", "http/json"):
        open_channel(protocol=protocol).send(records, no_pause)
    first, second = collector.exports
    assert first == second


def test_what_a_span_is_in_otlp(sent):
    record = span(
        5,
        parent_id="b7ad6b7169203331",
        links=[{"trace_id": "f" * 32, "span_id": "e" * 16}],
    )
    got, _ = sent(record)
    assert (got.trace_id.hex(), got.span_id.hex()) == (TRACE, f"{5:016x}")
    assert got.parent_span_id.hex() == "b7ad6b7169203331"
    assert (got.start_time_unix_nano, got.end_time_unix_nano) == (record.start_ns, record.end_ns)
    assert (got.kind, got.flags, got.status.code) == (1, 1, 1)
    [link] = got.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("f" * 32, "e" * 16)


def test_an_end_is_not_before_its_start(sent):
    got, _ = sent(span(end_ns=5))
    assert got.end_time_unix_nano == got.start_time_unix_nano


def test_events_of_a_stream(sent):
    """Its chunks stay here; OpenInference has an event for the first token."""
    record = call(timing=Timing(first_token_ns=5))
    got, _ = sent(record)
    assert [event.name for event in got.events] == ["exception", "own"]
    assert plain(got.events[1].attributes) == {"k": {"a": 1}, "i": 1}
    got, _ = sent(record, names="openinference")
    first, *others = got.events
    assert (first.name, first.time_unix_nano) == ("First Token Stream Event", record.start_ns + 5)
    assert [event.name for event in others] == ["exception", "own"]
    assert got.name == "Chat"


def test_of_the_same_span_twice_the_last_is_sent(collector, open_channel):
    open_channel().send([span(1, name="old"), span(1, name="new")], no_pause)
    assert list(collector.spans) == ["new"]


def test_updates_cannot_be_sent_which_is_told_once(collector, open_channel, caplog):
    channel = open_channel()
    update = TraceUpdate(trace_id=TRACE, session="s")
    channel.send([update], no_pause)
    channel.send([span(1), update], no_pause)
    assert len(collector.requests) == 1
    assert caplog.text.count("OTLP cannot change spans") == 1


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, Denied, "OTEL_EXPORTER_OTLP_HEADERS"),
        (403, Denied, "OTEL_EXPORTER_OTLP_HEADERS"),
        (404, Denied, "/v1/traces answers 404 (the reason): the server takes no traces at this"),
        (405, Denied, "check the address"),
        (415, Denied, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (501, Denied, "check the address"),
        (400, Refused, "the reason"),
        (413, Refused, "413"),
        (422, Refused, "422"),
        (408, Unavailable, "408"),
        (429, Unavailable, "429"),
        (500, Broken, "500"),
        (502, Unavailable, "502"),
        (503, Unavailable, "503"),
        (504, Unavailable, "504"),
    ],
)
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"the reason\n", {}),
        (b'{"code":3,"message":"the reason"}', {}),
        (b'{"detail":"the reason"}', {}),
        (ExportTracePartialSuccess(error_message="the reason").SerializeToString(), PROTOBUF),
    ],
)
def test_what_an_answer_means(collector, open_channel, status, kind, told, body, headers):
    collector.answer((status, body, headers))
    with pytest.raises(kind) as caught:
        open_channel(f"otlp+http://u:s3cret@{collector.address}").send([span()], no_pause)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert told in text
    assert "(the reason)" in text
    assert f"http://{collector.address}/v1/traces" in text
    assert "s3cret" not in text


@PROTOCOLS
@pytest.mark.parametrize("body", [b"\xff\x00<", b"<html>", b""])
def test_an_answer_that_cannot_be_read_is_told_by_its_status(
    collector, open_channel, protocol, body
):
    channel = open_channel(protocol=protocol)
    collector.answer((503, body, PROTOBUF), (503, body, {}))
    for _ in range(2):
        with pytest.raises(Unavailable, match="503"):
            channel.send([span()], no_pause)


def test_headers_that_are_withheld_are_told(collector, open_channel):
    collector.answer((401,))
    with pytest.raises(Denied, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        open_channel(headers="x-key=k").send([span()], no_pause)
    assert "x-key" not in collector.requests[0]["headers"]
    channel = open_channel("otlp:", endpoint=f"http://{collector.address}", headers="x-key=k")
    channel.send([span()], no_pause)
    assert collector.requests[1]["headers"]["x-key"] == "k"


def test_how_long_the_server_wants_to_be_left_alone(collector, open_channel):
    collector.answer((429, b"", {"retry-after": "7"}))
    with pytest.raises(Unavailable) as caught:
        open_channel().send([span()], no_pause)
    assert caught.value.after_s == 7


def test_a_redirect_to_another_server_is_not_followed(collector, open_channel):
    with Collector() as other:
        moved = {"location": f"http://{other.address}/v1/traces"}
        collector.answer((307, b"", moved), (307, b"", {"location": "/v2"}))
        channel = open_channel()
        with pytest.raises(Denied, match="redirects"):
            channel.send([span()], no_pause)
        channel.send([span()], no_pause)
        assert [request["path"] for request in collector.requests][1:] == ["/v1/traces", "/v2"]
        assert not other.requests


def test_a_server_that_does_not_answer(collector, open_channel):
    collector.answer(("hang",))
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        open_channel(timeout="200").send([span()], no_pause)


def partial(rejected, message, protocol):
    if protocol == "http/json":
        return f'{{"partialSuccess":{{"rejectedSpans":"{rejected}","errorMessage":"{message}"}}}}'
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    response.partial_success.error_message = message
    return response.SerializeToString()


def encoded(body):
    return body.encode() if isinstance(body, str) else body


@PROTOCOLS
def test_rejected_spans_are_told(collector, open_channel, protocol, caplog):
    collector.answer((200, encoded(partial(1, "too old", protocol))))
    open_channel(protocol=protocol).send([span(1), span(2, name="b")], no_pause)
    assert "rejects 1 of 2 spans: too old" in caplog.text


@PROTOCOLS
def test_a_remark_about_spans_that_were_taken_is_told(collector, open_channel, protocol, caplog):
    collector.answer((200, encoded(partial(0, "use gRPC", protocol))))
    open_channel(protocol=protocol).send([span()], no_pause)
    assert "says: use gRPC" in caplog.text


@PROTOCOLS
def test_a_request_that_is_rejected_as_a_whole_is_refused(collector, open_channel, protocol):
    collector.answer((200, encoded(partial(2, "", protocol))))
    with pytest.raises(Refused, match="rejects 2 of 2 spans: no reason"):
        open_channel(protocol=protocol).send([span(1), span(2)], no_pause)


@PROTOCOLS
@pytest.mark.parametrize("body", [b"ok", b"", b"null", b"[1]", b'{"partialSuccess":{}}'])
def test_what_else_is_said_to_spans_that_were_taken(
    collector, open_channel, protocol, body, caplog
):
    caplog.set_level(logging.DEBUG, "ollamatrace")
    collector.answer((200, body))
    open_channel(protocol=protocol).send([span()], no_pause)
    assert not [one for one in caplog.records if one.name == "ollamatrace"]


def test_certificates(open_channel, tmp_path):
    certificate, key = tmp_path / "server.pem", tmp_path / "key.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -days 2 -out {certificate} "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED  # the client shows its own
    with Collector(tls=context) as server:
        known = {"endpoint": f"https://{server.address}", "certificate": str(certificate)}
        own = {"client_certificate": str(certificate), "client_key": str(key)}
        open_channel("otlp:", **known, **own).send([span()], no_pause)
        assert list(server.spans) == ["step"]
        with pytest.raises(Unavailable):
            open_channel("otlp:", **known).send([span()], no_pause)
        with pytest.raises(Denied, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
            open_channel("otlp:", endpoint=known["endpoint"]).send([span()], no_pause)
        missing = {**own, "client_key": str(tmp_path / "none")}
        with pytest.raises(Denied, match="_CLIENT_KEY"):
            open_channel("otlp:", **known, **missing).send([span()], no_pause)


def test_after_close_and_abandon_it_connects_again(collector, open_channel):
    channel = open_channel()
    for number, then in enumerate([channel.close, channel.abandon, channel.close]):
        channel.send([span(number, name=f"s{number}")], no_pause)
        then()
    assert len(collector.spans) == 3
