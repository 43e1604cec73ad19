"""A server on this machine that answers as MLflow does, as far as a test does not say otherwise."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MISSING = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "it is not there"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connections = []

    def get_request(self):
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, *_):
        """A client that went away."""


class Loopback:
    """Keeps what comes; `answer` says what is answered instead, once for each call."""

    def __init__(self, version="3.17.2", artifacts="mlflow-artifacts:/{}", tls=None, port=0):
        self.version = version
        self.artifacts = artifacts
        self.experiments = {"0": {"experiment_id": "0", "name": "Default"}}
        self.spans = {}
        self.infos = {}
        self.files = {}
        self.requests = []
        self.page_size = None
        self._answers = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hang_up(self):
        """Close the connections that are open; one that is not closed is still answered."""
        for connection in self._server.connections:
            with contextlib.suppress(OSError):  # the client has closed it
                connection.shutdown(socket.SHUT_RDWR)

    def answer(self, path, *answers):
        """Answer requests whose path begins so with (status, body, headers); None: as usual."""
        self._answers[path] = [one and (*one, {})[:3] for one in answers]

    def calls(self, path=""):
        return [one for one in self.requests if one["path"].startswith(path)]

    def add_experiment(self, name, **fields):
        number = str(len(self.experiments))
        self.experiments[number] = {"experiment_id": number, "name": name, **fields}
        return number

    def handle(self, request):
        with self._lock:
            self.requests.append(request)
            for path, answers in self._answers.items():
                if request["path"].startswith(path) and answers:
                    answer = answers.pop(0)
                    if answer is not None:
                        return answer
            status, body = self._usual(request)
            return status, body, {}

    def _usual(self, request):
        path, query = request["path"], request["query"]
        if path == "/version":
            return 200, self.version
        if path == "/v1/traces":
            return self._log(request)
        if path.startswith("/api/2.0/mlflow-artifacts/artifacts/"):
            self.files[path.removeprefix("/api/2.0/mlflow-artifacts/artifacts/")] = request["body"]
            return 200, {}
        if "/experiments/" in path:
            return self._experiment(path.rpartition("/")[2], query, request)
        if path.startswith("/api/3.0/mlflow/traces"):
            return self._trace(path.removeprefix("/api/3.0/mlflow/traces"), query, request)
        if path == "/ajax-api/3.0/mlflow/get-trace-artifact":
            return 404, {"error_code": "NOT_FOUND", "message": "Trace data not found"}
        return 404, "<html>not found</html>"

    def _log(self, request):
        experiment = request["headers"]["x-mlflow-experiment-id"]
        if experiment not in self.experiments:
            return 404, MISSING
        for resource in json.loads(request["body"])["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    trace_id = f"tr-{span['traceId']}"
                    self.spans.setdefault(trace_id, {})[span["spanId"]] = _stored(span)
                    info = self.infos.setdefault(trace_id, {"trace_id": trace_id, "tags": {}})
                    info["experiment"] = experiment
                    if "parentSpanId" not in span:
                        info["state"] = "ERROR" if span["status"]["code"] == 2 else "OK"
                    info.setdefault("state", "IN_PROGRESS")
        return 200, ""

    def _experiment(self, call, query, request):
        if call == "create":
            name = json.loads(request["body"])["name"]
            if any(one["name"] == name for one in self.experiments.values()):
                return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "exists"}
            return 200, {"experiment_id": self.add_experiment(name)}
        key = "name" if call == "get-by-name" else "experiment_id"
        wanted = query["experiment_name" if call == "get-by-name" else "experiment_id"][0]
        for one in self.experiments.values():
            if one[key] == wanted:
                place = self.artifacts.format(one["experiment_id"])
                defaults = {"artifact_location": place, "lifecycle_stage": "active"}
                return 200, {"experiment": {**defaults, **one}}
        return 404, MISSING

    def _trace(self, call, query, request):
        if call == "":
            info = json.loads(request["body"])["trace"]["trace_info"]
            held = self.infos.setdefault(info["trace_id"], {})
            for name in ("tags", "trace_metadata"):
                info[name] = {**held.get(name, {}), **info.get(name, {})}
            held.update(info)
            return 200, {"trace": {"trace_info": held}}
        if call == "/search":
            return self._search(json.loads(request["body"]))
        if call == "/batchGet":
            known = [one for one in query["trace_ids"] if one in self.spans]
            return 200, {"traces": [self._whole(one) for one in known]}
        trace_id = query["trace_id"][0] if call == "/get" else call.split("/")[1]
        if trace_id not in self.infos:
            return 404, MISSING
        if request["method"] == "PATCH":
            tag = json.loads(request["body"])
            self.infos[trace_id]["tags"][tag["key"]] = tag["value"]
            return 200, {}
        whole = self._whole(trace_id)
        return 200, {"trace": whole if call == "/get" else {"trace_info": whole["trace_info"]}}

    def _search(self, asked):
        wanted = asked["locations"][0]["mlflow_experiment"]["experiment_id"]
        ids = [one for one, info in self.infos.items() if info.get("experiment") == wanted]
        ids.reverse()  # the last one that came is the newest
        start = int(asked.get("page_token") or 0)
        end = start + (self.page_size or asked["max_results"])
        page = {"traces": [self.infos[one] for one in ids[start:end]]}
        return 200, {**page, "next_page_token": str(end)} if end < len(ids) else page

    def _whole(self, trace_id):
        return {
            "trace_info": self.infos[trace_id],
            "spans": list(self.spans.get(trace_id, {}).values()),
        }


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self):
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length", 0))
            request = {
                "method": self.command,
                "path": parts.path,
                "query": parse_qs(parts.query),
                "headers": {key.lower(): value for key, value in self.headers.items()},
                "body": self.rfile.read(length),
                "connection": self.client_address,
            }
            status, body, headers = server.handle(request)
            if status is None:  # break the connection
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if not isinstance(body, str | bytes):
                body = json.dumps(body)
            data = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815

        def log_message(self, *_):
            pass

    return Handler


def _stored(span):
    """A span of OTLP/JSON as ``traces/get`` gives it back."""
    stored = {
        "trace_id": _base64(span["traceId"]),
        "span_id": _base64(span["spanId"]),
        "name": span["name"],
        "start_time_unix_nano": int(span["startTimeUnixNano"]),
        "end_time_unix_nano": int(span["endTimeUnixNano"]),
        "attributes": [
            {"key": one["key"], "value": _any(_parsed(one["value"]))} for one in span["attributes"]
        ],
        "events": [
            {
                "name": event["name"],
                "time_unix_nano": int(event["timeUnixNano"]),
                "attributes": [
                    {"key": one["key"], "value": _any(_raw(one["value"]))}
                    for one in event["attributes"]
                ],
            }
            for event in span.get("events", ())
        ],
        "status": {
            "code": ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"][
                span["status"]["code"]
            ],
            **{k: v for k, v in span["status"].items() if k == "message"},
        },
    }
    if "parentSpanId" in span:
        stored["parent_span_id"] = _base64(span["parentSpanId"])
    return stored


def _base64(digits):
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _raw(value):
    kind, held = next(iter(value.items()), ("", None))
    return int(held) if kind == "intValue" else held


def _parsed(value):
    held = _raw(value)
    if isinstance(held, str) and re.match(r'\s*["\[{]', held):
        with contextlib.suppress(ValueError):
            return json.loads(held)
    return held


def _any(value):
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, str):
        return {"string_value": value}
    if isinstance(value, int):
        return {"int_value": value}
    if isinstance(value, float):
        return {"double_value": value}
    if isinstance(value, list):
        return {"array_value": {"values": [_any(item) for item in value]} if value else {}}
    pairs = [{"key": key, "value": _any(item)} for key, item in value.items()]
    return {"kvlist_value": {"values": pairs} if pairs else {}}
