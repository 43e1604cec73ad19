from __future__ import annotations

import ssl
import subprocess

import pytest

from ollamatrace.destinations.mlflow import MlflowChannel
from ollamatrace.settings import Access, Delivery
from tests.destinations.mlflow.loopback import Loopback


@pytest.fixture
def mlflow():
    with Loopback() as server:
        yield server


@pytest.fixture
def open_channel(mlflow):
    channels = []

    def make(server=None, experiment="Tests", experiment_id=None, mode="info", **access):
        timeout_s = access.pop("timeout_s", 5.0)
        delivery = Delivery(mode=mode, timeout_s=timeout_s)
        url = mlflow.url if server is None else server
        channel = MlflowChannel(url, experiment, experiment_id, delivery, Access(**access))
        channels.append(channel)
        return channel

    yield make
    for channel in channels:
        channel.close()


@pytest.fixture
def certified(mlflow, tmp_path):
    """A server whose certificate is its own; its address and the file with certificate and key."""
    file = tmp_path / "server.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {tmp_path}/key.pem -days 2 -out {file} "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (tmp_path / "key.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Loopback(tls=context) as server:
        yield server.url, file
