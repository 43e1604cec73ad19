"""What programs leave behind about their spans when they end."""

from __future__ import annotations

import os
import stat
import time

import pytest

from ollamatrace import Tracer
from ollamatrace.settings import default_spool
from ollamatrace.spool import accounts
from ollamatrace.testing import MemoryTracer
from tests.pipeline.tracers import end_spans


def test_a_line_for_each_account(tmp_path):
    accounts.note(tmp_path / "spool", [{"url": "http://a", "accepted": 2}, {"url": "http://b"}])
    accounts.note(tmp_path / "spool", [{"url": "http://c"}])
    first, *others = accounts.read(tmp_path / "spool")
    assert first["accepted"] == 2
    assert first["pid"] == os.getpid()
    assert abs(first["time"] - time.time()) < 100
    assert [one["url"] for one in others] == ["http://b", "http://c"]
    assert list(accounts.read(tmp_path / "spool", since=time.time() + 10)) == []
    file = tmp_path / "spool" / "accounts.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_older_half_goes(tmp_path):
    for number in range(120):
        accounts.note(tmp_path, [{"url": f"http://{number}", "reasons": {"x" * 10_000: 1}}])
    assert (tmp_path / "accounts.jsonl").stat().st_size < 1_100_000
    kept = [one["url"] for one in accounts.read(tmp_path)]
    assert 50 <= len(kept) < 120
    assert kept == [f"http://{number}" for number in range(120 - len(kept), 120)]
    assert [path.name for path in tmp_path.iterdir()] == ["accounts.jsonl"]


def test_what_cannot_be_written_or_read_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    accounts.note(tmp_path / "file" / "spool", [{"url": "http://a"}])
    assert list(accounts.read(tmp_path / "file")) == []
    (tmp_path / "accounts.jsonl").write_text('no JSON\n[]\n{"url": 1, "time": 1}\n')
    accounts.note(tmp_path, [{"url": "http://a"}])
    assert [one["url"] for one in accounts.read(tmp_path)] == ["http://a"]


@pytest.mark.parametrize("make", [MemoryTracer, lambda: Tracer("console:"), Tracer])
def test_where_nothing_was_lost_and_no_server_is_nothing_is_written(make):
    with make() as tracer:
        end_spans(tracer, "a")
    assert list(accounts.read(default_spool())) == []
    assert not default_spool().exists()
