"""Settings say at once what cannot work; the environment is read as MLflow's own client does."""

from __future__ import annotations

import pytest

from ollamatrace import ConfigError, Delivery
from ollamatrace.settings import Access, Environment


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["max_spans", "max_bytes", "delay_s", "spool_max_bytes", "spool_max_age_s", "timeout_s"],
)
def test_a_delivery_of_nothing_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be greater than 0"):
        Delivery(**{name: 0})


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
