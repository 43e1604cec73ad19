"""What goes wrong on the way to a server. Each of these is done while spans come in.

They are called with the server, which is not started yet, and with how many spans there will be.
"""

from __future__ import annotations

import socket
import threading

from tests.servers.processes import poll

FEW = 500
_TICK = threading.Event()  # never set: a wait
SPANS = "/v1/traces"
UNSTORED = {"detail": "Failed to log OpenTelemetry spans"}


def passing(*, hits=3, **fault):
    """The server does that from the first request on, is well, and does it again."""

    def script(server, spans):
        server.start(**fault)
        server.until(hits=hits)
        server.fault()
        if spans > FEW:
            server.until(stored=spans // 8)
            server.fault(**fault)
            server.until(hits=hits)
            server.fault()

    return script


def status(code, *, hits=3, **answer):
    return passing(hits=hits, kind="status", status=code, **answer)


def down_at_start(server, spans):
    _TICK.wait(0.5)
    server.start()


def dies_midway(server, spans):
    server.start()
    for part in (8, 3):
        server.until(stored=spans // part)
        server.kill()
        _TICK.wait(0.2)
        server.start()


def flaps(server, spans):
    server.start(kind="flap")
    server.until(hits=4 if spans > FEW else 2)
    server.fault()


def fails_off_and_on(server, spans):
    """Up for 0.3 s, and for 0.3 s it fails over all that comes."""
    server.start()
    for _ in range(4 if spans > FEW else 2):
        server.fault(kind="status", status=500)
        _TICK.wait(0.3)
        server.fault()
        _TICK.wait(0.3)


def is_slow(server, spans):
    server.start(kind="slow answers", seconds=0.03)
    server.until(stored=spans // 4)
    server.fault()


def unreadable(kind):
    """At first contact, after which spans wait for a flush; later, if there is time for that."""

    def script(server, spans):
        if spans > FEW:
            server.start()
            server.until(stored=spans // 8)
            server.fault(kind=kind)
        else:
            server.start(kind=kind)
        server.until(hits=1)
        server.fault()

    return script


def renewed(server, spans):
    server.start()
    server.until(stored=spans // 4)
    server.renew()


def takes_little(server, spans):
    """Nothing above 200 kB, which no single span is."""
    server.start(most=200_000 if spans > FEW else 40_000)


def unresolved(monkeypatch):
    """A server whose name resolves only after a while; the name, and what happens meanwhile."""
    plain = socket.getaddrinfo
    state = {"known": False, "asked": 0}

    def resolve(host, *args, **settings):
        if host in ("mlflow.test", b"mlflow.test"):
            state["asked"] += 1
            if not state["known"]:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return plain(host, *args, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def script(server, spans):
        server.start()
        poll(lambda: state["asked"] >= 2, what="nobody asks for the name", every_s=0.01)
        state["known"] = True

    return script


PASSING = {
    "down at start": down_at_start,
    "dies midway": dies_midway,
    "hangs": passing(kind="hang", hits=2),
    "resets connections": passing(kind="reset", hits=4),
    "408": status(408),
    "429 for seconds": status(429, hits=2, headers={"retry-after": "1"}),
    "429 until a date": status(429, hits=1, retry_at_s=2),
    "500": status(500),
    "502": status(502, body="<html>"),
    "503": status(503),
    "422 for a while": status(422, path=SPANS, body=UNSTORED),
    "truncated answer": passing(kind="truncated"),
    "no HTTP": passing(kind="noise"),
    "garbage in the answer": unreadable("garbage"),
    "content-length too long": passing(kind="long"),
    "content-length too short": unreadable("short"),
    "reads slowly": passing(kind="slow reads", hits=10),
    "stored, but not answered": passing(kind="unanswered", hits=4),
    "experiment made anew": renewed,
    "413 for all that is large": takes_little,
    "flaps": flaps,
    "fails off and on": fails_off_and_on,
    "slower than spans come in": is_slow,
}
"""After these all arrives by itself, or with the next flush."""
