"""The replay server: same bytes, same pieces, same timing, and gone when it is closed."""

import http.client
import json
import socket
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from ollamatrace.cli.replay import ReplayServer
from tests.exchanges import load


def exchange(
    target="/x",
    body="{}",
    *,
    method="POST",
    chunks=((0, "ok"),),
    framing="content-length",
    end_ms=0,
    **response,
):
    answer = {
        "line": "HTTP/1.1 200 OK",
        "headers": [
            ["Content-Type", "application/json"],
            ["Content-Length", "999"],
            ["Transfer-Encoding", "chunked"],
            ["Date", "Sun, 22 Nov 2026 08:49:41 GMT"],
        ],
        "headers_at_ms": 0,
        "framing": framing,
        "chunks": [{"t_ms": at, "text": text} for at, text in chunks],
        "end_ms": end_ms,
        **response,
    }
    request = {"line": f"{method} {target} HTTP/1.1", "headers": [], "body": {"text": body}}
    return {"request": request, "response": answer}


def connect(server):
    return closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10))


def ask(connection, target="/x", body="{}"):
    connection.request("POST", target, body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def raw(server, body=b"{}"):
    """A connection with a request sent, to look at the bytes that come back."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    head = f"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def replaying():
    return [thread for thread in threading.enumerate() if thread.name == "replay"]


def until(condition):
    deadline = time.monotonic() + 10
    event = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        event.wait(0.005)


def test_a_recorded_stream_comes_in_its_pieces_and_its_time():
    exchanges = load("ollama-native/chat_stream")["exchanges"]
    [recorded] = exchanges
    response = recorded["response"]
    with ReplayServer(exchanges) as server, connect(server) as connection:
        start = time.monotonic()
        connection.request("POST", "/api/chat", recorded["request"]["body"]["text"])
        answer = connection.getresponse()
        arrived = []
        while piece := answer.read1():
            arrived.append((time.monotonic() - start, piece.decode()))
    assert [text for _, text in arrived] == [chunk["text"] for chunk in response["chunks"]]
    assert answer.headers.get_all("Transfer-Encoding") == ["chunked"]
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    for (at, _), chunk in zip(arrived, response["chunks"], strict=True):
        assert at >= chunk["t_ms"] / 1000 - 0.001


def test_without_pace_it_does_not_wait():
    slow = exchange(chunks=[(60_000, "a")])
    with ReplayServer([slow], pace=0) as server, connect(server) as connection:
        assert ask(connection) == (200, "a")


def test_two_events_stay_in_one_chunk():
    exchanges = load("llamacpp-v1/chat_stream_usage")["exchanges"]
    [recorded] = exchanges
    chunks = [chunk["text"] for chunk in recorded["response"]["chunks"]]
    assert any(text.count("data:") > 1 for text in chunks)
    with ReplayServer(exchanges, pace=0) as server, connect(server) as connection:
        connection.request("POST", "/v1/chat/completions", recorded["request"]["body"]["text"])
        answer = connection.getresponse()
        assert list(iter(answer.read1, b"")) == [text.encode() for text in chunks]


def test_a_whole_answer_has_its_own_length_and_each_header_once():
    with ReplayServer([exchange(chunks=[(0, "ä")])], pace=0) as server, connect(server) as client:
        client.request("POST", "/x", "{}")
        answer = client.getresponse()
        assert answer.headers.get_all("Content-Length") == ["2"]
        assert answer.headers.get_all("Transfer-Encoding") is None
        assert answer.headers.get_all("Date") == ["Sun, 22 Nov 2026 08:49:41 GMT"]
        assert answer.read().decode() == "ä"


def test_a_connection_is_kept_and_requests_are_kept():
    exchanges = [exchange("/a"), exchange("/b", method="GET", body="")]
    with ReplayServer(exchanges, pace=0) as server, connect(server) as connection:
        ask(connection, "/a", '{"n": 1}')
        first = connection.sock
        connection.request("GET", "/b", headers={"X-Test": "yes"})
        connection.getresponse().read()
        assert connection.sock is first
    assert [(one.method, one.path) for one in server.requests] == [("POST", "/a"), ("GET", "/b")]
    assert server.requests[0].json == {"n": 1}
    assert server.requests[1].headers["x-test"] == "yes"
    assert server.requests[1].body == b""


def test_matching_prefers_the_body_then_the_order_then_repeats():
    exchanges = [
        exchange(body='{"n": 1}', chunks=[(0, "one")]),
        exchange(body='{"n": 2, "m": 3}', chunks=[(0, "two")]),
    ]
    with ReplayServer(exchanges, pace=0) as server, connect(server) as connection:
        assert ask(connection, body='{"m":3,"n":2}') == (200, "two")
        assert ask(connection, body='{"n": 9}') == (200, "one")
        assert ask(connection, body='{"n": 2, "m": 3}') == (200, "two")
        status, _ = ask(connection, body='{"n": 9}')
        assert status == 404


def test_equal_recordings_are_played_one_after_the_other():
    exchanges = [exchange(chunks=[(0, "one")]), exchange(chunks=[(0, "two")])]
    with ReplayServer(exchanges, pace=0) as server, connect(server) as connection:
        assert [ask(connection)[1] for _ in range(3)] == ["one", "two", "one"]


def test_what_was_not_recorded_is_a_404_that_says_so():
    with ReplayServer([]) as server, connect(server) as connection:
        status, text = ask(connection, "/nope")
    assert status == 404
    assert json.loads(text) == {"error": "no recorded exchange for POST /nope"}


def test_a_request_without_an_answer_hangs_until_close():
    before = replaying()
    unanswered = exchange()
    del unanswered["response"]
    server = ReplayServer([unanswered], pace=0)
    with raw(server) as connection:
        until(lambda: server.requests)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 1
        connection.settimeout(10)
        assert connection.recv(1) == b""
    assert replaying() == before
    server.close()


def test_closing_in_the_middle_of_an_answer_and_with_idle_connections():
    before = replaying()
    slow = exchange(chunks=[(0, "a"), (60_000, "b")], framing="chunked", end_ms=60_000)
    server = ReplayServer([slow])
    address = urlsplit(server.url)
    with raw(server) as connection, socket.create_connection((address.hostname, address.port)):
        until(lambda: connection.recv(1000).endswith(b"a\r\n"))
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 1
    assert replaying() == before


@pytest.mark.parametrize("framing", ["chunked", "content-length"])
def test_a_client_that_goes_away_leaves_nothing_behind(framing, capfd):
    chunks = [(0, "a"), (60_000, "b")]
    with ReplayServer([exchange(chunks=chunks, framing=framing, end_ms=60_000)]) as server:
        before = len(replaying())
        with raw(server) as connection:
            until(lambda: connection.recv(1000).rstrip().endswith(b"a"))
        until(lambda: len(replaying()) == before)
    assert capfd.readouterr() == ("", "")


def test_a_client_that_leaves_an_unanswered_request_frees_its_thread():
    unanswered = exchange()
    unanswered["response"] = None
    with ReplayServer([unanswered]) as server:
        before = len(replaying())
        with raw(server):
            until(lambda: server.requests)
        until(lambda: len(replaying()) == before)


def test_a_recording_that_was_cut_ends_without_its_end():
    cut = exchange(chunks=[(0, "a")], framing="chunked", client_went_away=True)
    with ReplayServer([cut], pace=0) as server, connect(server) as connection:
        connection.request("POST", "/x", "{}")
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()


def test_nonsense_closes_the_connection_quietly(capfd):
    with ReplayServer([]) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(10) == b""
    assert capfd.readouterr() == ("", "")


def test_many_requests_at_once():
    exchanges = [exchange(body=json.dumps({"n": n}), chunks=[(20, str(n))]) for n in range(30)]
    answers = {}

    def one(n):
        with connect(server) as connection:
            answers[n] = ask(connection, body=json.dumps({"n": n}))

    with ReplayServer(exchanges) as server:
        threads = [threading.Thread(target=one, args=(n,)) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert answers == {n: (200, str(n)) for n in range(30)}
    assert len(server.requests) == 30
