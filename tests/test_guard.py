"""Our failures are told, not thrown, unless a test wants them."""

from __future__ import annotations

import pytest

from ollamatrace import guard


@guard.shielded
def fails():
    raise KeyError("ours")


def test_a_failure_is_logged_once_a_minute(monkeypatch, caplog):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    assert fails() is None
    assert fails() is None
    assert caplog.text.count("ollamatrace failed in fails") == 1


def test_strict_raises():
    with pytest.raises(KeyError, match="ours"):
        fails()


def test_warnings_are_told_once_a_minute_for_each_kind(caplog, monkeypatch):
    told = []
    for kind in ("a", "a", "b"):
        guard.warn(kind, f"about {kind}", told.append)
    assert told == ["about a", "about b"]
    now = guard.time.monotonic()
    monkeypatch.setattr(guard.time, "monotonic", lambda: now + 61)
    guard.warn("a", "again", told.append)
    assert told[-1] == "again"
