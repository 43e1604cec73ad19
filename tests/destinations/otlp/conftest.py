from __future__ import annotations

import pytest

from ollamatrace.destinations.otlp import OtlpChannel
from ollamatrace.settings import Delivery, Otlp
from tests.destinations.mlflow.samples import no_pause
from tests.destinations.otlp.collector import Collector, plain


@pytest.fixture
def collector():
    with Collector() as server:
        yield server


@pytest.fixture
def open_channel(collector):
    channels = []

    def make(server=None, experiment="Tests", timeout_s=5.0, **otlp):
        url = collector.url if server is None else server
        channel = OtlpChannel(url, experiment, Delivery(timeout_s=timeout_s), Otlp(**otlp))
        channels.append(channel)
        return channel

    yield make
    for channel in channels:
        channel.close()


@pytest.fixture
def sent(collector, open_channel):
    """Send one record; the span that arrives, and its attributes."""

    def send(record, names="genai", **otlp):
        open_channel(f"{collector.url}?names={names}", **otlp).send([record], no_pause)
        [span] = list(collector.spans.values())[-1:]
        return span, plain(span.attributes)

    return send
