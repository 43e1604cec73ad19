"""Destinations that measure calls, beside getting their spans."""

from __future__ import annotations

import logging

import pytest

from tests.pipeline.tracers import end_spans, tracer_with, until


class Measuring:
    """Keeps the names of what it measures, and of what it is given."""

    def __init__(self, metrics_url="http://box/metrics"):
        self.url = f"memory:{id(self)}"
        self.metrics_url = metrics_url
        self.starts = 0
        self.measured = []
        self.written = []
        self.published = []

    def start(self):
        self.starts += 1

    def measure(self, record):
        self.measured.append(record.name)
        if record.name == "poison":
            raise RuntimeError("a failure of ours")

    def publish(self, timeout, *, is_patient):
        self.published.append((timeout, is_patient, len(self.measured)))

    def write(self, records, _pause):
        self.written += [record.name for record in records]

    def close(self):
        pass

    def abandon(self):
        pass


@pytest.fixture
def destination():
    return Measuring()


def test_each_span_is_measured_once_before_a_flush_ends(destination):
    with tracer_with(destination) as tracer:
        end_spans(tracer, "a", "b")
        tracer.flush(timeout=7)
        assert (destination.starts, destination.measured) == (1, ["a", "b"])
        [(timeout, is_patient, count)] = destination.published
        assert 0 < timeout <= 7
        assert (is_patient, count) == (True, 2)


def test_a_span_that_cannot_be_measured_is_not_lost(destination, monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    caplog.set_level(logging.ERROR, "ollamatrace")
    with tracer_with(destination) as tracer:
        end_spans(tracer, "a", "poison", "b")
        assert tracer.flush().delivered == 3
    assert destination.written == ["a", "poison", "b"]
    assert "ollamatrace failed in Measuring.measure" in caplog.text


def test_two_that_measure_for_the_same_place_count_once(destination):
    other, same, none = Measuring("http://other"), Measuring(), Measuring(None)
    with tracer_with(destination, other, same, none) as tracer:
        end_spans(tracer, "a")
        tracer.flush()
    assert len(destination.measured) + len(same.measured) == 1
    assert (other.measured, none.measured, none.starts) == (["a"], [], 0)


def test_measuring_needs_no_flush(destination):
    with tracer_with(destination) as tracer:
        end_spans(tracer, "a")
        until(lambda: destination.measured == ["a"])
