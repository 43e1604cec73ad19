"""Numbers, moments, placeholders and harmless text."""

from datetime import UTC, datetime

import pytest

from ollamatrace.cli.encoding import plain_errors
from ollamatrace.cli.since import parse_since
from ollamatrace.errors import ConfigError
from ollamatrace.records.view import figures, readable, safe

MS = 1_000_000


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "–"),
        (0, "0 µs"),
        (21_400, "21 µs"),
        (94_999, "95 µs"),
        (MS, "1.0 ms"),
        (52 * MS, "52 ms"),
        (999_400_000, "999 ms"),
        (999_600_000, "1.00 s"),
        (2_262 * MS, "2.26 s"),
        (59_994 * MS, "59.99 s"),
        (59_996 * MS, "1m 00s"),
        (185_000 * MS, "3m 05s"),
        (7_800_000 * MS, "2h 10m"),
    ],
)
def test_durations(ns, text):
    assert figures.duration(ns) == text


def test_counts_are_absent_or_numbers():
    assert figures.tokens(None, None) == "–"
    assert figures.tokens(0, None) == "0 → –"
    assert figures.tokens(1234, 8) == "1,234 → 8"
    assert figures.rate(8, 200 * MS) == "40.0 tokens/s"
    assert figures.rate(8, 0) == figures.rate(None, MS) == "–"
    assert [figures.size(n) for n in (12, 12_345, 1_234_567)] == ["12 bytes", "12 kB", "1.2 MB"]


def test_moments_are_short_when_they_are_near():
    now = datetime(2026, 3, 4, 12, 0, 0).astimezone()
    second = 1_000_000_000
    ns = int(now.timestamp()) * second
    assert figures.short_moment(ns - second, now) == "11:59:59"
    assert figures.short_moment(ns - 86_400 * second, now).startswith("03-03 ")
    assert figures.short_moment(ns - 100 * 86_400 * second, now) == "2025-11-24"
    assert figures.moment(ns + 7 * MS) == "2026-03-04 12:00:00.007"


def test_since():
    now = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
    noon = int(now.timestamp()) * 10**9
    hour = 3600 * 10**9
    assert parse_since("2h", now) == noon - 2 * hour
    assert parse_since(" 30 M ", now) == noon - hour // 2
    assert parse_since("3d", now) == noon - 72 * hour
    assert parse_since("2026-03-04T11:00:00+00:00", now) == noon - hour
    local = datetime(2026, 3, 4).astimezone()
    assert parse_since("2026-03-04", now) == int(local.timestamp()) * 10**9
    for wrong in ("", "soon", "2x", "999999w", "-1h"):
        with pytest.raises(ConfigError, match="--since takes"):
            parse_since(wrong, now)


def test_placeholders():
    assert readable.text([0.5] * 768) == "[768 numbers]"
    assert readable.text([1, 2]) == "[1, 2]"
    assert readable.text({"a": "é"}) == '{"a": "é"}'
    assert readable.text({"a": "x " * 200}).splitlines()[0] == "{"
    assert readable.text("A" * 400) == "<base64 300 bytes>"
    assert readable.text("word " * 100) == "word " * 100
    assert readable.text("data:audio/wav;base64," + "A" * 400) == "<audio audio/wav 300 bytes>"
    assert readable.image("pictures/cat.png") == "<image pictures/cat.png>"
    assert readable.arguments('{"city": "Paris", "days": 3}') == 'city="Paris", days=3'
    assert readable.arguments("{broken") == "{broken"
    assert readable.arguments(None) == "null"


def test_harmless():
    assert safe.clean("a\tb\nc\r\nd\re") == "a\tb\nc\nd␍e"
    assert safe.clean("\x00\x1b\x7f\x85\u202e\u2066") == "␀␛␡\ufffd\ufffd\ufffd"
    assert safe.one_line(" a \n\t b ") == "a b"
    assert "13 → 8 – … µ é".encode("ascii", plain_errors()) == b"13 > 8 - . u ?"
