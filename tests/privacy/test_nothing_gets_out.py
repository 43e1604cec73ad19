"""A secret that is planted anywhere in a program reaches no server and no file."""

from __future__ import annotations

import base64
import gzip
import re
import socket

import pytest

from ollamatrace import Capture, Delivery, Tracer
from ollamatrace.store import Store
from tests.destinations.mlflow.loopback import Loopback
from tests.destinations.otlp.collector import Collector
from tests.pipeline.tracers import until
from tests.privacy.places import CONTENT, NAMES

SECRET = re.compile(r"canary-\d{4}-of-mine")
HALVES = re.compile(r"canary|\d{4}-of-mine|of-mine")
BUILT_IN = {
    "email": ("jo.doe+{:04}@mail.example.org", r"jo\.doe|@mail\.example"),
    "key": ("sk-proj-{:04}abcdefghijklmnopqrstuvwx", r"sk-proj|abcdefghijkl"),
    "phone": ("+49 170 55 {:04}", r"170 55"),
    "card": ("4111 1111 1111 1111", r"1111"),
}


class Planted:
    """Gives a new secret each time, and knows where."""

    def __init__(self, form):
        self._form = form
        self.places = []
        self.place = ""

    def __call__(self):
        self.places.append(self.place)
        return self._form.format(len(self.places))


@pytest.fixture
def everywhere(tmp_path, monkeypatch, capfd):
    """Runs a program that traces to all kinds of destinations; gives all that came out of it."""
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    data = tmp_path / "data"

    def run(places, secret, capture):
        store = data / "traces.db"
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))  # it does not listen: what is for it stays in the spool
            nobody = unheard.getsockname()[1]
        with Loopback() as mlflow, Collector() as otlp, Collector() as openinference:
            servers = [
                f"sqlite:///{store}",
                mlflow.url,
                otlp.url,
                f"{openinference.url}?names=openinference",
                f"http://127.0.0.1:{nobody}",
                "console:",
            ]
            tracer = Tracer(servers, capture=capture, delivery=Delivery(delay_s=0.01))
            for name, place in places.items():
                secret.place = name
                place(tracer, secret)
            until(lambda: is_settled(tracer.stats(), nobody))
            tracer.close(timeout=0.1)
            came = [*mlflow.requests, *otlp.requests, *otlp.reports, *openinference.requests]
            assert len(mlflow.spans) > 0
        found = {"": b"\n".join(texts(request) for request in came)}
        found |= {str(file): file.read_bytes() for file in data.rglob("*") if file.is_file()}
        assert any("spool" in name for name in found)
        spans = list(Store(store).scan())
        found["store"] = b"\n".join(span.line() for trace in spans for span in trace.spans)
        out, err = capfd.readouterr()
        found["console"] = (out + err).encode()
        return found

    return run


def is_settled(report, nobody):
    waits = {url: one.pending + one.spooled for url, one in report.destinations.items()}
    gone = [url for url in waits if url.endswith(f":{nobody}")]
    return report.accepted == report.spooled and not any(
        count for url, count in waits.items() if url not in gone
    )


def texts(request):
    """A request as it came, unpacked, with what is base64 in it decoded."""
    body = request["body"]
    if not isinstance(body, bytes):
        body = repr(body).encode()
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    packed = re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", body)
    return b"\n".join([body, repr(request).encode(), *map(unpacked, packed)])


def unpacked(text):
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return b""


def found_in(texts, pattern):
    return {
        (where, text[max(0, match.start() - 60) : match.end() + 40])
        for where, text in texts.items()
        for match in re.finditer(pattern.encode(), text)
    }


def test_secrets_are_found_where_nothing_is_taken_out(everywhere):
    """What the other tests look with can see."""
    secret = Planted("canary-{:04}-of-mine")
    found = everywhere({**CONTENT, **NAMES}, secret, Capture())
    everything = b"\n".join(found.values())
    seen = {int(number) for number in re.findall(rb"canary-(\d{4})-of-mine", everything)}
    missing = {secret.places[number - 1] for number in range(1, len(secret.places) + 1)} - {
        secret.places[number - 1] for number in seen
    }
    assert missing == set()


def test_a_rule_of_the_program(everywhere):
    rule = lambda text: SECRET.sub("[gone]", text)  # noqa: E731
    secret = Planted("canary-{:04}-of-mine")
    found = everywhere({**CONTENT, **NAMES}, secret, Capture(redact=(rule,)))
    assert found_in(found, HALVES.pattern) == set()
    assert all(b"[gone]" in text for where, text in found.items() if where in {"", "store"})


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_rule(everywhere, name):
    form, trace = BUILT_IN[name]
    found = everywhere({**CONTENT, **NAMES}, Planted(form), Capture(redact=(name,)))
    assert found_in(found, trace) == set()
    assert f"<{name}>".encode() in found["store"]


def test_without_content(everywhere):
    secret = Planted("canary-{:04}-of-mine")
    found = everywhere(CONTENT, secret, Capture(content=False))
    assert found_in(found, HALVES.pattern) == set()
    assert b"sha256" in found["store"]


def test_a_rule_that_raises(everywhere):
    def rule(text):
        raise RuntimeError(text)

    secret = Planted("canary-{:04}-of-mine")
    found = everywhere({**CONTENT, **NAMES}, secret, Capture(redact=(rule,)))
    assert found_in(found, HALVES.pattern) == set()
    assert b"<redaction failed>" in found["store"]
