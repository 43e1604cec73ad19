from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sys
import threading
from email.utils import format_datetime

import httpx
import pytest

from ollamatrace.destinations import exchange
from ollamatrace.destinations.connection import open_transport, timeouts
from ollamatrace.destinations.mlflow.api import Api
from ollamatrace.destinations.mlflow.login import trust
from ollamatrace.destinations.server_address import Address
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.settings import Access

TOKEN = "t"  # noqa: S105
FORM = "a server reads `http://host`"


@pytest.fixture
def api(mlflow):
    made = []

    def make(server=None, timeout_s=5.0, **access):
        address = Address.parse(server or mlflow.url, FORM)
        made.append(Api(address, Access(**access), timeout_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("http://host:5000", "http://host:5000"),
        ("http://host:5000/", "http://host:5000"),
        ("https://host/mlflow/", "https://host/mlflow"),
        ("http://host:5000/#/experiments/1", "http://host:5000"),
        ("http://user:p%40ss@host", "http://host"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_an_address_is_shown_without_what_does_not_belong_to_it(server, url):
    assert Address.parse(server, FORM).url == url


@pytest.mark.parametrize("server", ["http://", "http://:s3cret@", "http://u:s3cret@h:port"])
def test_what_is_no_address_is_a_config_error_without_secrets(server):
    with pytest.raises(ConfigError, match="the address of a server reads") as caught:
        Address.parse(server, FORM)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "access", "sent"),
    [
        ("", {"username": "a", "password": "b"}, "Basic YTpi"),
        ("", {"username": "a"}, "Basic YTo="),
        ("", {"username": "a", "password": "b", "token": "t"}, "Basic YTpi"),
        ("", {"token": "t"}, "Bearer t"),
        ("u:p%40@", {"token": "t"}, "Basic dTpwQA=="),
        ("", {}, None),
    ],
)
def test_credentials(mlflow, api, user, access, sent):
    api(f"http://{user}127.0.0.1:{mlflow.port}", **access).text("/version")
    assert mlflow.requests[0]["headers"].get("authorization") == sent


def test_a_path_in_front_a_workspace_and_who_we_are(mlflow, api):
    mlflow.answer("/proxied/version", (200, "3.17.2"))
    assert api(mlflow.url + "/proxied/", workspace="team").text("/version") == "3.17.2"
    headers = mlflow.requests[0]["headers"]
    assert headers["x-mlflow-workspace"] == "team"
    assert headers["user-agent"].startswith("ollamatrace/0")
    api().text("/version")
    assert "x-mlflow-workspace" not in mlflow.requests[1]["headers"]


def test_a_token_that_no_header_can_carry_is_a_config_error(api):
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_TOKEN"):
        api(token=f"{TOKEN}\n")


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ((401, "no"), Denied, "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or"),
        ((403, "Permission denied"), Denied, "permission"),
        ((403, "Invalid Host header"), Denied, "--allowed-hosts"),
        ((404, "<html>"), Denied, "check the address"),
        ((404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "m"}), Denied, "(m)"),
        ((405, "no"), Denied, "check the address"),
        ((500, {"error_code": "FEATURE_DISABLED", "message": "m"}), Denied, "MLFLOW_WORKSPACE"),
        ((501, {"detail": "REST OTLP"}), Denied, "--backend-store-uri"),
        ((400, {"detail": "Invalid Content-Type: application/json"}), Denied, "3.12"),
        ((400, {"error_code": "BAD", "message": "two\nlines."}), Refused, "(two lines)"),
        ((413, "too large"), Refused, "413"),
        ((422, {"detail": [{"loc": 1}]}), Refused, '"loc":1'),
        ((408, ""), Unavailable, "408"),
        ((429, ""), Unavailable, "429"),
        ((500, "Internal"), Unavailable, "Internal"),
        ((502, "<html>bad gateway"), Unavailable, "answers 502"),
        ((503, ""), Unavailable, "503"),
        ((400, "x" * 5000), Refused, "…"),
        ((500, "[1"), Unavailable, "[1"),
        ((500, [1]), Unavailable, "500"),
    ],
)
def test_what_an_answer_means(mlflow, api, answer, kind, told):
    mlflow.answer("/x", answer)
    with pytest.raises(kind) as caught:
        api(f"http://u:s3cret@127.0.0.1:{mlflow.port}").get("/x")
    text = str(caught.value)
    assert told in text
    assert f"{mlflow.url}/x" in text
    assert "s3cret" not in text
    assert "\n" not in text
    assert len(text) < 500


def test_wrong_credentials_are_told_from_none(mlflow, api):
    mlflow.answer("/x", (401, ""), (401, ""))
    with pytest.raises(Denied, match="wants credentials"):
        api().get("/x")
    with pytest.raises(Denied, match="does not take these"):
        api(token=TOKEN).get("/x")


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        (lambda: format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)), 3500, 3601),
        (lambda: "Wed, 21 Oct 2015 07:28:00 -0000", 0, 0),
        ("soon", None, None),
        ("Mon, 99999999999999999999 Jan 2020 00:00:00 GMT", None, None),
        ("-1", None, None),
    ],
)
def test_retry_after_in_both_forms(mlflow, api, value, least, most):
    value = value() if callable(value) else value
    mlflow.answer("/x", (503, "", {"Retry-After": value}))
    with pytest.raises(Unavailable) as caught:
        api().get("/x")
    if least is None:
        assert caught.value.after_s is None
    else:
        assert least <= caught.value.after_s <= most


def test_an_answer_that_cannot_be_unpacked_costs_no_span(mlflow, api):
    mlflow.answer("/x", (200, "no gzip", {"content-encoding": "gzip"}))
    with pytest.raises(Unavailable, match="what cannot be read"):
        api().get("/x")


def test_a_time_out_may_be_as_long_as_it_likes(api):
    assert api(timeout_s=float("inf")).text("/version")


def test_an_answer_without_json_is_of_no_mlflow_server(mlflow, api):
    mlflow.answer("/x", (200, "<html>welcome"))
    with pytest.raises(Denied, match="does not answer with JSON"):
        api().get("/x")


def test_the_answer_to_spans_is_not_read(mlflow, api):
    mlflow.answer("/v1/traces", (200, b"\xff{"))
    api().spans(b'{"resourceSpans":[]}', "0")


def test_too_much_is_not_read(mlflow, api, monkeypatch):
    monkeypatch.setattr(exchange, "_MAX_BODY", 1000)
    monkeypatch.setattr(exchange, "_MAX_ERROR", 1000)
    mlflow.answer("/x", (200, "1" * 500_000), (503, "x" * 500_000))
    with pytest.raises(Refused, match="more than 1,000 bytes"):
        api().get("/x")
    with pytest.raises(Unavailable, match="503"):
        api().get("/x")


def test_a_redirect_on_the_same_server_is_followed_with_its_body(mlflow, api):
    mlflow.answer("/x", (307, "", {"Location": "/y"}))
    mlflow.answer("/y", (200, {"a": 1}))
    assert api(token=TOKEN).post("/x", {"b": 2}) == {"a": 1}
    request = mlflow.calls("/y")[0]
    assert (request["method"], request["body"]) == ("POST", b'{"b":2}')
    assert request["headers"]["authorization"] == "Bearer t"


@pytest.mark.parametrize("target", ["https://127.0.0.1/y", "http://elsewhere/y", "http://[", ""])
def test_no_other_redirect_is_followed(mlflow, api, target):
    mlflow.answer("/x", *[(302, "", {"Location": target})] * 5)
    with pytest.raises(Denied, match="redirects"):
        api().get("/x")


def test_an_idle_connection_that_was_closed_is_opened_again(mlflow, api):
    one = api()
    one.get("/api/2.0/mlflow/experiments/get", {"experiment_id": "0"})
    mlflow.answer("/version", (None, ""))
    assert one.text("/version") == "3.17.2"
    mlflow.answer("/version", (None, ""), (None, ""))
    with pytest.raises(Unavailable, match="broke"):
        one.text("/version")


def test_a_server_that_is_not_there(api):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"no connection to {url}"):
            api(url).get("/x")


def test_a_server_that_does_not_answer(api):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable, match=r"within 0\.1 s"):
            api(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1).get("/x")


def test_a_server_that_answers_drop_by_drop(api):
    stop = threading.Event()
    with socket.socket() as dripping:
        dripping.bind(("127.0.0.1", 0))
        dripping.listen()

        def serve():
            connection, _ = dripping.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                while not stop.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(Unavailable, match=r"within 0\.3 s"):
                api(f"http://127.0.0.1:{dripping.getsockname()[1]}", timeout_s=0.3).get("/x")
        finally:
            stop.set()
            thread.join()


def test_tls_where_the_server_speaks_none(mlflow, api):
    with pytest.raises(Denied, match="use http://"):
        api(f"https://127.0.0.1:{mlflow.port}").get("/x")


def test_an_untrusted_certificate_names_the_setting(api, certified):
    url, certificate = certified
    with pytest.raises(Denied, match="MLFLOW_TRACKING_SERVER_CERT_PATH"):
        api(url).text("/version")
    assert api(url, server_cert_path=str(certificate)).text("/version") == "3.17.2"
    assert api(url, insecure_tls=True).text("/version") == "3.17.2"


def test_a_client_certificate_is_shown(api, certified):
    url, certificate = certified
    known = {"server_cert_path": str(certificate), "client_cert_path": str(certificate)}
    assert api(url, **known).text("/version") == "3.17.2"


@pytest.mark.parametrize("name", ["server_cert_path", "client_cert_path"])
def test_a_missing_file_of_certificates_names_the_setting(api, name, tmp_path):
    with pytest.raises(Denied, match=f"MLFLOW_TRACKING_{name.upper()}"):
        api("https://127.0.0.1:1", **{name: str(tmp_path / "none.pem")}).get("/x")


def test_proxies_are_for_other_machines(mlflow, api, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"127.0.0.1:{mlflow.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    mlflow.answer("/version", (200, "by proxy"))
    assert api("http://tracking.invalid:5000").text("/version") == "by proxy"
    assert mlflow.requests[0]["headers"]["host"] == "tracking.invalid:5000"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert api().text("/version") == "3.17.2"
    monkeypatch.setenv("no_proxy", "tracking.invalid")
    with pytest.raises(Unavailable, match="no connection"):
        api("http://tracking.invalid:5000", timeout_s=1).text("/version")


def test_a_proxy_of_an_unknown_kind_is_denied(monkeypatch):
    monkeypatch.setenv("http_proxy", "carrier://pigeon")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(Denied, match="proxy"):
        open_transport(Address.parse("http://tracking.invalid", FORM), trust(Access()))


def test_connecting_is_given_less_time_than_answering():
    assert (timeouts(30)["connect"], timeouts(30)["read"]) == (5, 30)
    assert (timeouts(1)["connect"], timeouts(1)["read"]) == (1, 1)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can be told")
def test_the_head_of_an_answer_is_acknowledged_at_once(mlflow, api):
    told = []

    class Transport(httpx.MockTransport):
        def close(self):
            pass

    class Connection:
        def get_extra_info(self, _):
            return self

        def setsockopt(self, *option):
            told.append(option)

    def answer(_):
        return httpx.Response(200, text="x", extensions={"network_stream": Connection()})

    one = api()
    one._exchange._transport = Transport(answer)
    assert one.text("/x") == "x"
    assert told == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)]


def test_it_is_usable_by_many_threads(mlflow, api):
    one = api()
    failures = []

    def work():
        try:
            for _ in range(20):
                assert one.text("/version") == "3.17.2"
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(mlflow.requests) == 120


def test_making_a_channel_imports_no_http_library():
    code = (
        "import sys\n"
        "from ollamatrace.destinations.mlflow import MlflowChannel\n"
        "from ollamatrace.settings import Access, Delivery\n"
        "MlflowChannel('http://localhost:1', 'x', None, Delivery(), Access()).page('0')\n"
        "print(*sorted({'httpx', 'anyio'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
