"""The tracer for tests."""

from __future__ import annotations

import threading

import pytest


def test_what_ends_meanwhile_is_not_waited_for(tracer):
    stop = threading.Event()

    def work():
        while not stop.wait(0.0002):  # now and then
            with tracer.span("another"):
                pass

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(100):
            with tracer.span(f"mine {number}"):
                pass
            assert f"mine {number}" in {record.name for record in tracer.finished()}
    finally:
        stop.set()
        thread.join()


def test_what_is_not_recorded_in_time_is_told(tracer, monkeypatch):
    monkeypatch.setattr(tracer.pipeline, "pump", lambda *_args, **_more: False)
    with tracer.span("stuck"):
        pass
    with pytest.raises(TimeoutError, match=r"1 spans are not recorded after 0\.05 s"):
        tracer.finished(timeout=0.05)
    monkeypatch.undo()
    assert [record.name for record in tracer.finished()] == ["stuck"]
