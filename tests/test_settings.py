"""Settings say at once what cannot work; the environment is read as MLflow's own client does."""

from __future__ import annotations

import os

import pytest

from ollamatrace import ConfigError, Delivery, Tracer, span
from ollamatrace.settings import Access, Environment, Otlp, without_credentials


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "max_spans",
        "max_bytes",
        "delay_s",
        "spool_max_bytes",
        "spool_max_age_s",
        "store_max_bytes",
        "store_max_age_s",
        "timeout_s",
    ],
)
def test_a_delivery_of_nothing_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be greater than 0"):
        Delivery(**{name: 0})


def test_a_store_that_holds_next_to_nothing_is_refused():
    with pytest.raises(ConfigError, match="store_max_bytes must be 1048576 or more"):
        Delivery(store_max_bytes=1000)


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(ConfigError, match='"info" or "throughput"'):
        Delivery(mode="fast")


def test_the_environments_experiment(monkeypatch):
    assert (Environment.read().experiment, Environment.read().experiment_id) == (None, None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    assert (Environment.read().experiment, Environment.read().experiment_id) == ("theirs", "7")
    monkeypatch.setenv("OLLAMATRACE_EXPERIMENT", "ours")
    assert Environment.read().experiment == "ours"


def test_without_anything_there_is_no_access():
    assert Access.read() == Access()


def test_access_from_the_environment(monkeypatch):
    for name, value in {
        "MLFLOW_TRACKING_USERNAME": "ann",
        "MLFLOW_TRACKING_PASSWORD": "secret",
        "MLFLOW_TRACKING_TOKEN": "token",
        "MLFLOW_TRACKING_INSECURE_TLS": "true",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "ca.pem",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH": "me.pem",
        "MLFLOW_WORKSPACE": "team",
    }.items():
        monkeypatch.setenv(name, value)
    access = Access.read()
    assert access == Access(
        username="ann",
        password="secret",  # noqa: S106
        token="token",  # noqa: S106
        insecure_tls=True,
        server_cert_path="ca.pem",
        client_cert_path="me.pem",
        workspace="team",
    )
    assert "secret" not in repr(access)


def credentials(home, text):
    (home / ".mlflow").mkdir()
    (home / ".mlflow" / "credentials").write_text(text)


FILE = "[mlflow]\nmlflow_tracking_username = bob\nmlflow_tracking_password = 100%\n"


def test_access_from_the_credentials_file(home):
    credentials(home, FILE)
    assert (Access.read().username, Access.read().password) == ("bob", "100%")


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN"])
def test_the_environment_beats_the_file(home, monkeypatch, name):
    credentials(home, FILE)
    monkeypatch.setenv(name, "x")
    assert Access.read().password is None


@pytest.mark.parametrize("text", ["", "[other]\na = b\n", "no ini\n", "[mlflow]\n"])
def test_a_file_that_says_nothing_is_passed_over(home, text):
    credentials(home, text)
    assert Access.read() == Access()


OTLP = {
    "endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "own_endpoint": "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "headers": "OTEL_EXPORTER_OTLP_HEADERS",
    "protocol": "OTEL_EXPORTER_OTLP_PROTOCOL",
    "compression": "OTEL_EXPORTER_OTLP_COMPRESSION",
    "timeout": "OTEL_EXPORTER_OTLP_TIMEOUT",
    "certificate": "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "client_certificate": "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "client_key": "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "service_name": "OTEL_SERVICE_NAME",
    "resource_attributes": "OTEL_RESOURCE_ATTRIBUTES",
}


def test_what_the_environment_says_of_otlp(monkeypatch):
    assert Otlp.read() == Otlp(metrics=Otlp())
    for field, name in OTLP.items():
        monkeypatch.setenv(name, f" SECRET {field} ")
    both = {field: f"SECRET {field}" for field in OTLP}
    assert Otlp.read() == Otlp(**both, metrics=Otlp(**{**both, "own_endpoint": None}))
    assert "SECRET" not in repr(Otlp.read())


@pytest.mark.parametrize(
    ("exporters", "are_sent"),
    [("none", False), ("prometheus", False), ("otlp", True), ("console, otlp", True), ("", True)],
)
def test_metrics_can_be_turned_off(exporters, are_sent, monkeypatch):
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", exporters)
    assert (Otlp.read().metrics is not None) is are_sent


@pytest.mark.parametrize("field", list(OTLP)[2:9])
def test_what_is_said_of_traces_or_metrics_alone_counts(field, monkeypatch):
    monkeypatch.setenv(OTLP[field], "all")
    monkeypatch.setenv(OTLP[field].replace("_OTLP_", "_OTLP_TRACES_"), "traces")
    assert (getattr(Otlp.read(), field), getattr(Otlp.read().metrics, field)) == ("traces", "all")
    monkeypatch.setenv(OTLP[field].replace("_OTLP_", "_OTLP_METRICS_"), "metrics")
    assert getattr(Otlp.read().metrics, field) == "metrics"


def test_the_address_of_metrics(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h/m")
    assert (Otlp.read().own_endpoint, Otlp.read().metrics.own_endpoint) == (None, "http://h/m")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://ann:SECRET@host:5000/a", "http://host:5000/a"),
        ("http://ann:SE/CRET@host:5000", "http://host:5000"),
        ("postgresql://ann:SECRET@host/db?password=SECRET", "postgresql://host/db"),
        ("ann:SECRET@host:5000", "host:5000"),
        ("http://host/?token=SECRET", "http://host/"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address, shown):
    assert without_credentials(address) == shown


SECRETS = [
    "postgresql://u:SECRET@h/db",
    "HTTP://u:SECRET@h:x",
    "u:SECRET@h:5000",
    "ftp://u:SECRET@h",
    "otlp+http://u:SECRET@h:4317",
    "otlp+http://u:SECRET@h:x",
    "otlp+http://h?token=SECRET",
    "otlp+grpc://u:SECRET@h",
    "http://u:12/SECRET@h:5000",
    "http://u:SE/CRET@h:5000",
]


@pytest.mark.parametrize("address", SECRETS)
@pytest.mark.parametrize("name", ["OLLAMATRACE_SERVER", "MLFLOW_TRACKING_URI"])
def test_no_warning_and_no_error_tells_a_password(address, name, monkeypatch, caplog):
    monkeypatch.setenv(name, address)
    with span("a"):
        pass
    with pytest.raises(ConfigError) as raised:
        Tracer(address)
    assert "CRET" not in caplog.text + str(raised.value)
    assert caplog.text


def test_the_scheme_may_be_in_capitals_and_blanks_around_it(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " HTTP://127.0.0.1:9/ ")
    assert Environment.read().server == "HTTP://127.0.0.1:9/"
    assert "http://127.0.0.1:9" in repr(Tracer())


@pytest.mark.parametrize(
    "name",
    ["MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_URI"],
)
def test_bytes_that_are_no_text_reach_no_program(name, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv(name, os.fsdecode(b"http://a\xff"))
    with span("a"):
        pass


def test_an_experiment_may_have_half_a_character(tmp_path):
    with Tracer(f"sqlite:///{tmp_path}/a.db", experiment="a\ud800b") as tracer:
        with tracer.span("a"):
            pass
        assert tracer.flush().delivered == 1
