"""Ctrl-C in the middle of our own work: the program sees it, nothing is lost or left current."""

from __future__ import annotations

import signal

import pytest

from ollamatrace import TracedClient, current_span
from ollamatrace.clients import twin
from ollamatrace.spans import Span
from tests.clients.inprocess import ASK, make


def interrupting(function, *, times=1):
    """`function`, but Ctrl-C comes when it has done its work."""
    left = [None] * times

    def interrupted(*args, **kwargs):
        result = function(*args, **kwargs)
        if left:
            left.pop()
            raise KeyboardInterrupt
        return result

    return interrupted


def check(client, tracer, *, calls=1):
    assert current_span() is None
    assert tracer.pipeline.open == {}
    assert len(tracer.finished()) == calls
    client.chat(**ASK)
    [record] = tracer.finished()
    assert record.end_reason == "returned"


def test_when_a_call_has_begun(tracer, monkeypatch):
    begun = twin.beginning
    monkeypatch.setattr(twin, "beginning", lambda *given: interrupting(begun(*given)))
    client = TracedClient(make("Client"), tracer=tracer)
    with pytest.raises(KeyboardInterrupt):
        client.chat(**ASK)
    check(client, tracer)


@pytest.mark.parametrize("method", ["_settle", "leave"])
def test_when_a_call_ends(method, tracer, monkeypatch):
    client = TracedClient(make("Client"), tracer=tracer)
    monkeypatch.setattr(Span, method, interrupting(getattr(Span, method)))
    with pytest.raises(KeyboardInterrupt):
        client.chat(**ASK)
    check(client, tracer)


def test_before_a_span_is_queued(tracer, monkeypatch):
    left = [None]
    put = tracer.pipeline.put

    def interrupted(*args, **kwargs):
        if left:
            left.pop()
            raise KeyboardInterrupt
        return put(*args, **kwargs)

    monkeypatch.setattr(tracer.pipeline, "put", interrupted)
    client = TracedClient(make("Client"), tracer=tracer)
    with pytest.raises(KeyboardInterrupt):
        client.chat(**ASK)
    check(client, tracer)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_at_any_moment(tracer):
    """Real signals, at whatever instruction they come."""
    client = TracedClient(make("Client"), tracer=tracer)
    client.chat(**ASK)
    tracer.finished()
    reached = lost = 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for number in range(400):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + 0.000004 * (number % 100))
                client.chat(**ASK)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except (KeyboardInterrupt, Exception):  # noqa: BLE001  pydantic makes others of it
                reached += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            lost += current_span() is not None or bool(tracer.pipeline.open)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert reached > 20
    assert lost == 0
    tracer.finished()
    client.chat(**ASK)
    assert len(tracer.finished()) == 1
