"""A server on this machine that takes OTLP over HTTP, and keeps what comes."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

IDS = ("traceId", "spanId", "parentSpanId")


class Collector:
    """Says that all is well; `answer` says what is answered instead, once for each request.

    What comes for `/v1/metrics` is apart from that: see `reports` and `answer_metrics`.
    """

    def __init__(self, tls=None):
        self.requests = []
        self.reports = []
        self.hang = threading.Event()
        self._answers = []
        self._metrics_answers = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that went away
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"otlp+http{'s' if tls else ''}://{self.address}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, *answers):
        """Answer the next requests with (status, body, headers); None: as usual."""
        self._answers += [one and one + (b"", {})[len(one) - 1 :] for one in answers]

    def answer_metrics(self, *answers):
        """The same for metrics."""
        self._metrics_answers += [one and one + (b"", {})[len(one) - 1 :] for one in answers]

    def handle(self, request):
        is_report = request["path"].endswith("/v1/metrics")
        (self.reports if is_report else self.requests).append(request)
        answers = self._metrics_answers if is_report else self._answers
        answer = answers.pop(0) if answers else None
        if answer is not None and answer[0] == "hang":
            self.hang.wait()
        elif answer is not None and callable(answer[0]):
            return answer[0](request)
        elif answer is not None:
            return answer
        if request["headers"]["content-type"] == "application/json":
            return 200, b"{}", {"content-type": "application/json"}
        kind = ExportMetricsServiceResponse if is_report else ExportTraceServiceResponse
        body = kind().SerializeToString()
        return 200, body, {"content-type": "application/x-protobuf"}

    @property
    def exports(self):
        return [decoded(request) for request in self.requests]

    def metrics(self, number=-1):
        """What a report says, the last one if no other is asked for: points by metric's name."""
        report = decoded(self.reports[number], ExportMetricsServiceRequest)
        [resource] = report.resource_metrics
        [scope] = resource.scope_metrics
        return {metric.name: list(metric.histogram.data_points) for metric in scope.metrics}

    @property
    def spans(self):
        """All that came, by name; a name twice is a mistake of the test."""
        found = [
            span
            for export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        named = {span.name: span for span in found}
        assert len(named) == len(found)
        return named


def decoded(request, kind=ExportTraceServiceRequest):
    """The body of a request as the message that it is, in either encoding."""
    body = request["body"]
    if request["headers"].get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if request["headers"]["content-type"] == "application/json":
        # Ids are base64 to protobuf's own JSON, and hex digits to that of OTLP.
        return ParseDict(_with_base64(json.loads(body)), kind())
    assert request["headers"]["content-type"] == "application/x-protobuf"
    return kind.FromString(body)


def plain(attributes):
    """Attributes as plain values; a text that holds a JSON object or list as that."""
    return {pair.key: _value(pair.value) for pair in attributes}


def _value(any_value):
    kind = any_value.WhichOneof("value")
    value = getattr(any_value, kind)
    if kind == "array_value":
        return [_value(item) for item in value.values]
    if kind == "string_value" and value[:1] in {"[", "{"}:
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _with_base64(value):
    if isinstance(value, list):
        return [_with_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else _with_base64(item)
        for key, item in value.items()
    }


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            request = {
                "path": self.path,
                "headers": {key.lower(): value for key, value in self.headers.items()},
                "body": self.rfile.read(int(self.headers["content-length"])),
            }
            status, body, headers = server.handle(request)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
