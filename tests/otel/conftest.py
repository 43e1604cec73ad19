"""Connected to OpenTelemetry, whose global providers stay as they are."""

from __future__ import annotations

import pytest
from opentelemetry import propagate
from opentelemetry import trace as otel_trace

from ollamatrace import otel
from tests.otel.current import Otel, nothing_is_current


@pytest.fixture(autouse=True)
def connected():
    """Connected, and nothing left current nor logged afterwards."""
    globally = otel_trace.get_tracer_provider(), propagate.get_global_textmap()
    otel.connect()
    yield
    otel.disconnect()
    assert (otel_trace.get_tracer_provider(), propagate.get_global_textmap()) == globally
    assert nothing_is_current()


@pytest.fixture
def theirs():
    return Otel()
