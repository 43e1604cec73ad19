from __future__ import annotations

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
