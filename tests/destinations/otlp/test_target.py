"""Where spans go and how: the address, and each variable of OpenTelemetry's."""

from __future__ import annotations

import importlib.metadata

import pytest

from ollamatrace import ConfigError
from ollamatrace.destinations.otlp import OtlpChannel
from ollamatrace.destinations.otlp.target import Target
from ollamatrace.settings import Delivery, Otlp

KEY = {"headers": "x-key=SECRET"}


def target(server="otlp:", **otlp):
    return Target.parse(server, Otlp(**otlp), 30.0)


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("otlp+http://host:4318", "http://host:4318/v1/traces"),
        ("otlp+http://host:4318/", "http://host:4318/v1/traces"),
        ("OTLP+HTTP://Host:4318", "http://host:4318/v1/traces"),
        ("otlp+https://host/api/public/otel", "https://host/api/public/otel/v1/traces"),
        ("otlp+https://host/otel/v1/traces/", "https://host/otel/v1/traces"),
        ("otlp+http://u:SECRET@host", "http://host/v1/traces"),
        ("otlp+http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_an_address_and_its_path(server, url):
    made = target(server)
    assert (made.address.url, made.url) == (url, f"otlp+{url}")
    assert "SECRET" not in repr(made)


@pytest.mark.parametrize(
    ("otlp", "url"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"endpoint": "https://host"}, "https://host/v1/traces"),
        ({"endpoint": "https://host/a/"}, "https://host/a/v1/traces"),
        ({"endpoint": "https://host/v1/traces"}, "https://host/v1/traces/v1/traces"),
        ({"own_endpoint": "https://host/x"}, "https://host/x"),
        ({"endpoint": "http://other", "own_endpoint": "https://host/x"}, "https://host/x"),
    ],
)
def test_the_environments_address(otlp, url):
    assert target(**otlp).address.url == url


def test_names_are_asked_for_behind_the_address():
    assert target("otlp+http://h").names == target("otlp:").names == "genai"
    assert target("otlp+http://h?names=genai").url == "otlp+http://h/v1/traces"
    asked = target("otlp+http://h/p?names=openinference")
    assert asked.names == target("otlp:?names=openinference").names == "openinference"
    assert asked.url == "otlp+http://h/p/v1/traces?names=openinference"


@pytest.mark.parametrize("query", ["names=", "names=x", "key=SECRET", "names=genai&x=1", "x"])
def test_nothing_else_is_behind_the_address(query):
    with pytest.raises(ConfigError, match="names=openinference") as caught:
        target(f"otlp+http://h?{query}")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("otlp", "told"),
    [
        ({"endpoint": "http://h:4317"}, r"otlp\+http://h:4318"),
        ({"own_endpoint": "https://h:4317/x"}, r"otlp\+https://h:4318"),
        ({"protocol": "grpc"}, "4318"),
        ({"protocol": "thrift"}, "http/json"),
        ({"compression": "zstd"}, "gzip"),
        ({"timeout": "soon"}, "milliseconds"),
        ({"timeout": "0"}, "milliseconds"),
        ({"headers": "SECRET"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"headers": "=SECRET"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"headers": "a key=SECRET"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"headers": "key=SECRET%0Ax"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"endpoint": "localhost:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT reads `http://"),
        ({"own_endpoint": "http://h/x?key=SECRET"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"own_endpoint": "http://u:SECRET@h:x"}, "%XX"),
    ],
)
def test_what_cannot_work_is_a_config_error_without_secrets(otlp, told):
    with pytest.raises(ConfigError, match=told) as caught:
        target(**otlp)
    assert "SECRET" not in str(caught.value)


def test_the_environment_of_a_grpc_exporter_does_not_concern_an_address_over_http():
    made = target("otlp+http://h:4318", protocol="grpc", endpoint="http://h:4317")
    assert not made.is_json


def test_protocol_compression_and_timeout():
    made = target()
    assert (made.is_json, made.is_gzip, made.timeout_s) == (False, True, 30.0)
    made = target(protocol="http/json", compression="none", timeout="1500")
    assert (made.is_json, made.is_gzip, made.timeout_s) == (True, False, 1.5)
    made = target(protocol="http/protobuf", compression="gzip")
    assert (made.is_json, made.is_gzip) == (False, True)


def test_headers_are_decoded():
    headers = target(headers="Authorization=Bearer%20a%2Cb, x-key = k==,").headers
    assert headers["authorization"] == "Bearer a,b"
    assert headers["x-key"] == "k=="
    assert headers["user-agent"].startswith("ollamatrace/")


def test_a_user_in_the_address_beats_the_headers():
    made = target("otlp+http://u:p%40@localhost:4318", headers="Authorization=Bearer x")
    assert made.headers["authorization"] == "Basic dTpwQA=="
    assert target(endpoint="http://u:p@h").headers["authorization"] == "Basic dTpw"


@pytest.mark.parametrize(
    ("server", "otlp", "is_sent"),
    [
        ("otlp:", {}, True),
        ("otlp:", {"endpoint": "https://h"}, True),
        ("otlp+https://h", {"endpoint": "https://h/otel"}, True),
        ("otlp+https://h:443", {"own_endpoint": "https://h/x"}, True),
        ("otlp+http://localhost:4318", {}, True),
        ("otlp+https://h", {}, False),
        ("otlp+http://h", {"endpoint": "https://h"}, False),
        ("otlp+https://h:1", {"endpoint": "https://h"}, False),
        ("otlp+https://evil", {"endpoint": "https://h"}, False),
        ("otlp+https://h", {"endpoint": "https://h:x"}, False),
        ("otlp+https://h", {"endpoint": "https://x", "own_endpoint": "https://h"}, True),
    ],
)
def test_secrets_go_only_to_the_server_that_the_environment_names(server, otlp, is_sent):
    made = target(server, client_certificate="me.pem", client_key="key.pem", **KEY, **otlp)
    assert ("x-key" in made.headers, made.trust.own is not None) == (is_sent, is_sent)
    assert made.is_withheld is not is_sent


@pytest.mark.parametrize(
    ("server", "otlp", "metrics", "url"),
    [
        ("otlp+http://h:4318", {}, {}, "http://h:4318/v1/metrics"),
        ("otlp+https://h/otel/v1/traces/", {}, {}, "https://h/otel/v1/metrics"),
        ("otlp+https://h?names=openinference", {}, {}, "https://h/v1/metrics"),
        ("otlp+https://h", {}, {"own_endpoint": "http://m/x"}, "http://m/x"),
        ("otlp:", {}, {}, "http://localhost:4318/v1/metrics"),
        ("otlp:", {"endpoint": "http://h/a"}, {"endpoint": "http://h/a"}, "http://h/a/v1/metrics"),
        ("otlp:", {"own_endpoint": "http://h/t"}, {"own_endpoint": "http://m/x"}, "http://m/x"),
    ],
)
def test_where_metrics_go(server, otlp, metrics, url):
    made = Target.of_metrics(server, Otlp(**otlp, metrics=Otlp(**metrics)), 30.0)
    assert made.address.url == url


def test_metrics_that_go_nowhere():
    assert Target.of_metrics("otlp+http://h", Otlp(), 30.0) is None
    alone = Otlp(own_endpoint="https://h/traces", metrics=Otlp())
    assert Target.of_metrics("otlp:", alone, 30.0) is None


def test_the_headers_of_metrics_go_only_where_the_environment_says():
    named = Otlp(own_endpoint="http://m/x", **KEY)
    made = Target.of_metrics("otlp+http://u:p@h", Otlp(metrics=named), 30.0)
    assert made.headers["x-key"] == "SECRET"
    assert "authorization" not in made.headers
    made = Target.of_metrics("otlp+http://u:p@h", Otlp(metrics=Otlp(**KEY)), 30.0)
    assert "x-key" not in made.headers
    assert made.headers["authorization"].startswith("Basic ")


def test_settings_of_metrics_that_cannot_work_leave_the_spans_alone(caplog):
    said = Otlp(metrics=Otlp(own_endpoint="http://h:4317", **KEY))
    made = OtlpChannel("otlp:", "Tests", Delivery(), said)
    assert made.metrics_url is None
    assert "there are no metrics: port 4317" in caplog.text
    assert "SECRET" not in caplog.text


def resource(monkeypatch, **otlp):
    made = OtlpChannel("otlp:", "Tests", Delivery(), Otlp(**otlp))
    return made._resource, made.experiment


def test_the_resource(monkeypatch):
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    made, filed = resource(monkeypatch)
    assert made == {
        "service.name": "unknown_service:python3",
        "ollamatrace.experiment": "Tests",
        "openinference.project.name": "Tests",
        "telemetry.sdk.name": "ollamatrace",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": importlib.metadata.version("ollamatrace"),
    }
    assert filed == "unknown_service:python3/Tests"
    monkeypatch.setattr("sys.executable", None)
    assert resource(monkeypatch)[0]["service.name"] == "unknown_service"


def test_the_resource_that_the_environment_names(monkeypatch):
    given = "service.name=one,deployment.environment.name=a%20b,openinference.project.name=p"
    made, filed = resource(monkeypatch, resource_attributes=given)
    assert made["service.name"] == "one"
    assert made["deployment.environment.name"] == "a b"
    assert made["openinference.project.name"] == "p"
    made, filed = resource(monkeypatch, resource_attributes=given, service_name="two")
    assert (made["service.name"], filed) == ("two", "two/Tests")
    with pytest.raises(ConfigError, match="OTEL_RESOURCE_ATTRIBUTES"):
        resource(monkeypatch, resource_attributes="name")


def test_without_the_library_the_extra_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("ollamatrace.destinations.otlp.protobuf_encoding.version", missing)
    with pytest.raises(ConfigError, match=r"pip install 'ollamatrace\[otlp\]'"):
        OtlpChannel("otlp:", "Tests", Delivery(), Otlp())
    OtlpChannel("otlp:", "Tests", Delivery(), Otlp(protocol="http/json"))
