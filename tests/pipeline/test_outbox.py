"""A server's spans are kept in a file first, and every one of them is accounted for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ollamatrace import Delivery, guard, update_trace
from ollamatrace.pipeline import Broken, Denied, Refused, Unavailable, attempts, outbox, sender
from ollamatrace.pipeline.worker import worker
from ollamatrace.records import SpanRecord, TraceUpdate
from ollamatrace.settings import default_spool
from ollamatrace.spool import Spool, accounts
from tests.pipeline.tracers import DEADLINE_S, balanced, end_spans, tracer_with, until


class Server:
    """A channel that keeps what it gets; can be down, deny, refuse and wait."""

    experiment = "Default"

    def __init__(self, url="http://test:1"):
        self.url = url
        self.names = []
        self.requests = []
        self.updates = []
        self.down = False
        self.denies = False
        self.poison = set()
        self.bug = set()
        self.broken = set()
        self.after_s = None
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()
        self.threads = set()
        self.closed = 0
        self.prepared = []

    def send(self, records, pause):
        self.attempts += 1
        self.threads.add(threading.current_thread())
        assert self.gate.wait(DEADLINE_S)
        if self.down:
            raise Unavailable("connection refused", self.after_s)
        if self.denies:
            raise Denied("401: set MLFLOW_TRACKING_USERNAME")
        names = [record.name for record in records if isinstance(record, SpanRecord)]
        if self.broken & set(names) or self.broken == {"*"}:
            raise Broken("500: NUL")
        if self.bug & set(names):
            raise RuntimeError("a bug")
        if self.poison & set(names) or self.poison == {"*"}:
            raise Refused("422: no")
        self.requests.append(names)
        self.names += names
        self.updates += [record for record in records if isinstance(record, TraceUpdate)]
        pause()

    def prepare(self):
        self.prepared.append(threading.current_thread().name)

    def close(self):
        self.closed += 1

    def abandon(self):
        self.names = []


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def quick(monkeypatch):
    """Retries follow each other quickly."""
    monkeypatch.setattr(attempts, "_FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(attempts, "_LAST_RETRY_S", 0.01)


@pytest.fixture
def told():
    return []


@pytest.fixture
def tracer(server, told):
    with tracer_with(server, on_warning=told.append) as tracer:
        yield tracer
        server.down = server.denies = False
        server.gate.set()


def segments():
    return sorted(
        path for path in default_spool().glob("*/*.jsonl") if path.name != "rejected.jsonl"
    )


def spooled_names():
    lines = [line for path in segments() for line in path.read_text().splitlines()[1:]]
    return [json.loads(line)["name"] for line in lines]


def test_spans_arrive_in_order_and_leave_no_file(server, tracer):
    end_spans(tracer, "a", "b", "c")
    report = balanced(tracer.flush())
    assert (report.delivered, report.spooled) == (3, 0)
    assert server.names == ["a", "b", "c"]
    assert segments() == []


def test_they_are_in_a_file_before_they_are_sent(server, tracer):
    server.gate.clear()
    end_spans(tracer, "a", "b")
    report = balanced(tracer.flush(timeout=0.3))
    assert (report.spooled, report.pending, report.delivered) == (2, 0, 0)
    assert spooled_names() == ["a", "b"]
    server.gate.set()
    assert balanced(tracer.flush()).delivered == 2


def senders():
    return [one for one in threading.enumerate() if one.name == "ollamatrace-send"]


def test_its_thread_is_there_from_the_first_span_to_the_end(server):
    until(lambda: not senders())  # those of other tests
    tracer = tracer_with(server)
    assert senders() == []
    with tracer.span("a"):
        pass
    [thread] = senders()  # at the end of the program none could be started any more
    assert thread.daemon
    tracer.close()
    assert server.threads == {thread}
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_down_gets_them_later(server, tracer, told):
    server.down = True
    end_spans(tracer, "a")
    until(lambda: server.attempts > 3)
    end_spans(tracer, "b")
    until(lambda: balanced(tracer.stats()).spooled == 2)
    assert told == ["connection refused; spans wait and are sent again"]
    server.down = False
    assert balanced(tracer.flush()).delivered == 2
    assert server.names == ["a", "b"]


def test_a_flush_does_not_wait_for_the_next_attempt(server, tracer, monkeypatch):
    monkeypatch.setattr(attempts, "_FIRST_RETRY_S", 1000.0)
    monkeypatch.setattr(attempts, "_LAST_RETRY_S", 1000.0)
    server.down = True
    end_spans(tracer, "a")
    until(lambda: server.attempts)
    server.down = False
    assert balanced(tracer.flush()).delivered == 1


def test_it_waits_as_long_as_the_server_asks(server, tracer, monkeypatch):
    slept = []
    monkeypatch.setattr(attempts.Attempts, "_sleep", lambda _, seconds: slept.append(seconds))
    server.down, server.after_s = True, 77.0
    end_spans(tracer, "a")
    until(lambda: slept)
    server.down = False
    tracer.flush()
    assert slept[0] == 77.0


@pytest.mark.usefixtures("quick")
def test_another_destination_does_not_wait_for_one_that_is_down_or_slow(server, told):
    other = Server("http://test:2")
    with tracer_with(server, other, on_warning=told.append) as tracer:
        server.down = True
        other_gate, server_gate = other.gate, server.gate
        server_gate.clear()
        end_spans(tracer, "a", "b")
        until(lambda: tracer.stats().destinations[other.url].delivered == 2)
        report = balanced(tracer.stats())
        assert (report.spooled, report.delivered) == (2, 0)
        assert other.names == ["a", "b"]
        assert report.destinations[server.url].spooled == 2
        server.down = False
        server_gate.set()
        assert balanced(tracer.flush()).delivered == 2
        assert other_gate.is_set()


def test_denied_stops_says_so_once_and_keeps_the_spool(server, tracer, told):
    server.denies = True
    end_spans(tracer, "a")
    began = time.monotonic()
    report = balanced(tracer.flush(timeout=60))
    assert time.monotonic() - began < DEADLINE_S  # waiting makes no sense
    assert report.spooled == 1
    made = server.attempts
    end_spans(tracer, "b")
    until(lambda: spooled_names() == ["a", "b"])
    assert server.attempts == made
    assert len(told) == 1
    assert "MLFLOW_TRACKING_USERNAME" in told[0]
    server.denies = False  # who asks for it gets another attempt
    until(lambda: balanced(tracer.flush()).delivered == 2)


def test_a_poison_span_is_set_aside_and_the_others_arrive(server, tracer, told):
    server.poison = {"bad"}
    server.gate.clear()
    end_spans(tracer, *[f"good {n}" for n in range(20)], "bad", *["more"] * 10)
    server.gate.set()
    report = balanced(tracer.flush())
    assert (report.delivered, report.reasons) == (30, {"rejected": 1})
    assert set(server.names) == {*(f"good {n}" for n in range(20)), "more"}
    [path] = default_spool().glob("*/rejected.jsonl")
    [entry] = map(json.loads, path.read_text().splitlines())
    assert entry["record"]["name"] == "bad"
    assert entry["reason"] == "422: no"
    assert str(path) in told[-1]
    assert segments() == []


def test_a_poison_span_within_one_trace_is_found(server, tracer):
    server.poison = {"bad"}
    server.gate.clear()
    with tracer.span("root"):
        end_spans(tracer, "a", "bad", "b")
    server.gate.set()
    report = balanced(tracer.flush())
    assert (report.delivered, report.dropped) == (3, 1)
    assert set(server.names) == {"a", "b", "root"}


def test_a_request_keeps_traces_together_when_it_is_split(server):
    server.poison = {"bad"}
    with tracer_with(server, delivery=Delivery(delay_s=3600)) as tracer:
        with tracer.pipeline._pump_lock:  # in one request, that is
            for number in range(4):
                with tracer.span(f"root {number}"):
                    end_spans(tracer, f"child {number}")
            end_spans(tracer, "bad")
        tracer.flush()
    assert all(
        {f"root {n}" in names for names in server.requests if f"child {n}" in names} == {True}
        for n in range(4)
    )


@pytest.mark.usefixtures("quick")
def test_a_server_that_refuses_everything_for_a_while_loses_nothing(server, tracer, monkeypatch):
    monkeypatch.setattr(sender, "_PROBES", 10**6)
    server.poison = {"*"}
    end_spans(tracer, "a", "b", "c")
    until(lambda: server.attempts > 20)
    server.poison = set()
    report = balanced(tracer.flush())
    assert (report.delivered, report.dropped) == (3, 0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("error", "first"), [(Refused, 1), (Broken, 4)])
def test_a_server_that_refuses_off_and_on_loses_nothing(error, first, server, tracer):
    """It has taken some, and then refuses each of the others by itself, for no fault of theirs."""
    # The first request brings one span, while the others gather.
    bad = {*range(2, first + 2), *range(first + 3, first + 51)}
    well = server.send

    def send(records, pause):
        if server.attempts + 1 in bad:
            server.attempts += 1
            raise error("422: no")
        well(records, pause)

    server.send = send
    server.gate.clear()
    end_spans(tracer, "first")
    until(lambda: server.attempts == 1)
    end_spans(tracer, *[f"good {n}" for n in range(32)])
    until(lambda: tracer.stats().spooled == 33)
    server.gate.set()
    until(lambda: server.attempts > max(bad))
    report = balanced(tracer.flush())
    assert (report.delivered, report.dropped) == (33, 0)


@pytest.mark.usefixtures("quick")
def test_what_is_sent_to_see_whether_the_server_is_well_brings_its_updates(server, tracer):
    """Sent without them, a root span would take back what was said of its trace later."""
    server.poison = {"bad"}
    server.gate.clear()
    end_spans(tracer, "first")
    until(lambda: server.attempts)
    end_spans(tracer, "bad")
    end_spans(tracer, "root")
    update_trace(name="renamed")
    until(lambda: tracer.stats().spooled == 3)
    server.gate.set()
    report = balanced(tracer.flush())
    assert (report.delivered, report.dropped) == (2, 1)
    assert server.names.count("root") == len(server.updates) > 1


@pytest.mark.usefixtures("quick")
def test_a_single_span_that_is_always_refused_is_given_up(server, tracer):
    server.poison = {"bad"}
    end_spans(tracer, "bad")
    assert balanced(tracer.flush()).reasons == {"rejected": 1}
    assert server.attempts == 1 + sender._PROBES


@pytest.mark.usefixtures("quick")
def test_a_record_that_cannot_be_encoded_is_like_poison(server, tracer, monkeypatch):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    server.bug = {"bad"}
    end_spans(tracer, "a", "bad", "b")
    report = balanced(tracer.flush())
    assert (report.delivered, report.reasons) == (2, {"rejected": 1})


@pytest.mark.usefixtures("quick")
def test_a_span_over_which_the_server_fails_holds_up_nothing(server, tracer):
    server.broken = {"bad"}
    server.gate.clear()
    end_spans(tracer, *["good"] * 200, "bad", *["good"] * 50)
    server.gate.set()
    report = balanced(tracer.flush())
    assert (report.delivered, report.reasons) == (250, {"rejected": 1})


@pytest.mark.usefixtures("quick")
def test_a_server_that_fails_over_everything_loses_nothing(server, tracer):
    server.broken = {"*"}
    server.gate.clear()
    end_spans(tracer, *["good"] * 100)
    server.gate.set()
    until(lambda: server.attempts > 100)
    report = balanced(tracer.flush(timeout=0.1))
    assert (report.spooled, report.dropped) == (100, 0)
    server.broken = {"good 7"}
    assert balanced(tracer.flush()).delivered == 100


@pytest.mark.usefixtures("quick")
def test_a_single_span_over_which_the_server_fails_waits_for_others(server, tracer):
    server.broken = {"bad"}
    end_spans(tracer, "bad")
    until(lambda: server.attempts > 20)
    assert balanced(tracer.stats()).spooled == 1
    end_spans(tracer, "good")
    report = balanced(tracer.flush())
    assert (report.delivered, report.reasons) == (1, {"rejected": 1})


def test_many_small_batches_become_few_requests(server, tracer):
    server.gate.clear()
    for _ in range(50):
        end_spans(tracer, "a")
        tracer.flush(timeout=0)
    until(lambda: len(spooled_names()) == 50)
    server.gate.set()
    assert balanced(tracer.flush()).delivered == 50
    assert len(server.requests) <= 3


def test_what_is_spooled_takes_no_room_in_memory(server, monkeypatch):
    monkeypatch.setattr(outbox, "_MEMORY_BYTES", 4_000)
    server.gate.clear()
    with tracer_with(server, delivery=Delivery(max_spans=10, delay_s=0.001)) as tracer:
        for number in range(100):
            end_spans(tracer, f"{number}")
            until(lambda: not tracer.stats().pending)
        [kept] = tracer.pipeline._lanes
        assert kept._memory <= 4_000
        server.gate.set()
        report = balanced(tracer.flush())
    assert (report.delivered, report.dropped) == (100, 0)
    assert server.names == [f"{number}" for number in range(100)]


def test_what_is_in_the_spool_alone_is_kept_track_of_in_large_pieces(server, monkeypatch):
    monkeypatch.setattr(outbox, "_MEMORY_BYTES", 0)
    server.gate.clear()
    with tracer_with(server, delivery=Delivery(delay_s=0.001)) as tracer:
        names = [f"{number}" for number in range(100)]
        for name in names:
            end_spans(tracer, name)
            until(lambda: not tracer.stats().pending)
        [kept] = tracer.pipeline._lanes
        assert len(kept._parcels) <= 2  # what was there when the first was sent, and the rest
        server.gate.set()
        report = balanced(tracer.flush())
        assert (report.delivered, server.names) == (100, names)
        until(lambda: not segments())


def test_a_poison_span_in_a_large_piece_is_found(server, monkeypatch):
    monkeypatch.setattr(outbox, "_MEMORY_BYTES", 0)
    server.poison = {"b"}
    server.gate.clear()
    with tracer_with(server, delivery=Delivery(delay_s=0.001)) as tracer:
        for name in ("first", "a", "b", "c"):
            end_spans(tracer, name)
            until(lambda: not tracer.stats().pending)
        server.gate.set()
        report = balanced(tracer.flush())
        assert (report.delivered, report.reasons) == (3, {"rejected": 1})
        assert set(server.names) == {"a", "c", "first"}


def unwritable(monkeypatch, tmp_path):
    file = tmp_path / "a-file"
    file.write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(file))


def test_without_a_spool_spans_wait_in_memory_with_one_warning(server, told, monkeypatch, tmp_path):
    unwritable(monkeypatch, tmp_path)
    server.gate.clear()
    with tracer_with(server, on_warning=told.append) as tracer:
        end_spans(tracer, "a", "b")
        report = balanced(tracer.flush(timeout=0.3))
        assert (report.pending, report.spooled) == (2, 0)
        [warning] = told
        assert "memory only" in warning
        server.gate.set()
        assert balanced(tracer.flush()).delivered == 2


@pytest.mark.usefixtures("quick")
def test_without_a_spool_the_queue_is_bounded(server, monkeypatch, tmp_path):
    unwritable(monkeypatch, tmp_path)
    server.down = True
    with tracer_with(server, delivery=Delivery(max_spans=5)) as tracer:
        for _ in range(8):
            end_spans(tracer, "a")
            tracer.flush(timeout=0)
        report = balanced(tracer.stats())
        assert report.reasons == {"queue_full": 3}
        server.down = False
        assert balanced(tracer.flush()).delivered == 5


def test_a_spool_that_is_too_big_loses_the_oldest(server, told):
    server.gate.clear()
    delivery = Delivery(spool_max_bytes=6_000_000, delay_s=0.001)
    with tracer_with(server, delivery=delivery, on_warning=told.append) as tracer:
        for number in range(15):
            with tracer.span(f"{number}") as span:
                span.outputs = "x" * 2_000_000
            until(lambda: balanced(tracer.stats()).pending == 0)
        report = balanced(tracer.stats())
        assert report.reasons == {"spool_full": 13}
        two_segments = 2 * 6_200_000  # a file goes when nothing of it waits
        assert sum(path.stat().st_size for path in segments()) < 6_000_000 + two_segments
        assert "spool_max_bytes" in told[0]
        server.gate.set()
        assert balanced(tracer.flush()).delivered == 2
        assert server.names == ["0", "14"]  # the first was on its way


def test_a_spool_that_waits_too_long_is_given_up(server):
    server.gate.clear()
    with tracer_with(server, delivery=Delivery(spool_max_age_s=0.001)) as tracer:
        end_spans(tracer, "in flight")
        until(lambda: server.attempts)
        end_spans(tracer, "old")
        until(lambda: not tracer.stats().pending)
        end_spans(tracer, "new")
        until(lambda: balanced(tracer.stats()).reasons.get("spool_expired"))
        server.gate.set()
        tracer.flush()


PROGRAM = """
import atexit, os, signal, sys
sys.path.insert(0, ".")
from ollamatrace import update_trace
from tests.pipeline.test_outbox import Server, segments
from tests.pipeline.tracers import end_spans, tracer_with, until
server = Server()
how = sys.argv[1]
if how in ("killed", "updated", "hangs"):
    server.gate.clear()
server.down = how == "down"
server.denies = how == "denied"
tracer = tracer_with(server)
end_spans(tracer, "a", "b")
if how == "updated":
    update_trace(user="u")
    until(lambda: any("trace_update" in path.read_text() for path in segments()))
if how in ("killed", "updated"):
    until(lambda: tracer.stats().spooled == 2)
    os.kill(os.getpid(), signal.SIGKILL)
atexit._run_exitfuncs()
print(*server.names)
"""


def program(how):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=60
    )


def test_after_a_kill_the_next_process_delivers(server):
    assert program("killed").returncode == -signal.SIGKILL
    assert spooled_names() == ["a", "b"]
    with tracer_with(server) as tracer:
        end_spans(tracer, "c")
        report = balanced(tracer.flush())
    assert server.names == ["a", "b", "c"]
    assert (report.accepted, report.delivered) == (1, 1)  # the others were never this tracer's
    assert segments() == []


def test_a_flush_is_enough_to_deliver_what_others_left(server):
    program("killed")
    with tracer_with(server) as tracer:
        tracer.flush()
        until(lambda: server.names == ["a", "b"])


@pytest.mark.parametrize("how", ["down", "denied", "hangs"])
def test_exit_leaves_to_the_next_process_what_cannot_be_sent(how, server):
    began = time.monotonic()
    assert program(how).returncode == 0
    assert time.monotonic() - began < 5 + DEADLINE_S
    assert spooled_names() == ["a", "b"]
    with tracer_with(server) as tracer:
        end_spans(tracer, "c")
        tracer.flush()
        assert server.names == ["a", "b", "c"]


def test_exit_delivers():
    assert program("fine").stdout.split() == ["a", "b"]
    assert segments() == []


def test_a_line_that_is_no_record_is_passed_over(server):
    program("killed")
    [path] = segments()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{}", "no json", "[1]", *lines[1:]]) + "\n")
    with tracer_with(server) as tracer:
        tracer.flush()
        until(lambda: server.names == ["a", "b"])
        until(lambda: not segments())


@pytest.mark.parametrize(
    ("damage", "reasons"),
    [(Path.unlink, {}), (lambda path: path.write_bytes(b""), {"spool_unreadable": 1})],
)
def test_a_spool_that_is_damaged_loses_only_what_is_nowhere_else(
    damage, reasons, server, tracer, monkeypatch
):
    monkeypatch.setattr(outbox, "_MEMORY_BYTES", 0)
    server.gate.clear()
    end_spans(tracer, "in flight")
    until(lambda: server.attempts)
    end_spans(tracer, "a")
    until(lambda: tracer.stats().spooled == 2)
    for path in segments():
        damage(path)
    server.gate.set()
    report = balanced(tracer.flush())
    assert report.delivered + report.dropped == 2
    assert report.reasons == reasons


def test_a_forked_child_sends_its_own_only(server, tracer):
    server.gate.clear()
    end_spans(tracer, "parent's")
    until(lambda: tracer.stats().spooled == 1)
    pid = os.fork()
    if not pid:
        server.gate = threading.Event()
        server.gate.set()
        end_spans(tracer, "child's")
        report = balanced(tracer.flush())
        os._exit(0 if server.names == ["child's"] and report.delivered == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    server.gate.set()
    assert balanced(tracer.flush()).delivered == 1
    assert server.names == ["parent's"]


def test_a_closed_tracer_goes_on_in_the_background_and_lets_go(server):
    server.gate.clear()
    tracer = tracer_with(server)
    pipeline = tracer.pipeline
    end_spans(tracer, "a")
    tracer.close(timeout=0.1)
    assert pipeline in worker._pipelines
    server.gate.set()
    until(lambda: pipeline not in worker._pipelines)
    assert server.names == ["a"]
    assert server.closed == 1


NO_THREADS = """
import sys, threading
sys.path.insert(0, ".")
from tests.pipeline.test_outbox import Server
from tests.pipeline.tracers import end_spans, tracer_with
start = threading.Thread.start
def refuse(self):
    if self.name not in sys.argv[1:]:
        raise RuntimeError("can't start new thread")
    start(self)
threading.Thread.start = refuse
tracer = tracer_with(Server())
end_spans(tracer, "a", "b")
report = tracer.flush(60)
print(report.spooled, report.delivered)
"""


@pytest.mark.parametrize("threads", [[], ["ollamatrace"]])
def test_where_no_thread_can_start_spans_are_left_to_the_next_process(threads):
    began = time.monotonic()
    run = [sys.executable, "-c", NO_THREADS, *threads]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "2 0", done.stderr
    assert time.monotonic() - began < DEADLINE_S  # nobody waits for a sender that there is not
    assert spooled_names() == ["a", "b"]


def test_a_failure_of_on_warning_does_not_matter(server, caplog):
    def fail(text):
        raise RuntimeError(text)

    server.denies = True
    with tracer_with(server, on_warning=fail) as tracer:
        end_spans(tracer, "a")
        assert tracer.flush().spooled == 1
    assert guard.logger.name in {record.name for record in caplog.records}


@pytest.mark.parametrize("leave", ["flush", "close"])
def test_an_update_is_waited_for_like_a_span(server, leave):
    with tracer_with(server) as tracer:
        end_spans(tracer, "a")
        tracer.flush()
        update_trace(session="s")
        getattr(tracer, leave)()
        assert [update.session for update in server.updates] == ["s"]
        assert balanced(tracer.stats()).accepted == 1


def test_an_update_outlives_the_process_like_a_span(server):
    assert program("updated").returncode == -signal.SIGKILL
    with tracer_with(server) as tracer:
        tracer.flush()
        until(lambda: [update.user for update in server.updates] == ["u"])


def test_a_closed_tracer_that_was_denied_leaves_its_spans_to_the_next(server):
    server.denies = True
    tracer = tracer_with(server)
    end_spans(tracer, "a")
    tracer.close()
    assert tracer.pipeline not in worker._pipelines
    server.denies = False
    with tracer_with(server) as another:
        another.flush()
        until(lambda: server.names == ["a"])


FORKS = """
import os, sys, threading, time
sys.path.insert(0, ".")
from tests.pipeline.test_outbox import Server
from tests.pipeline.tracers import end_spans, tracer_with, until
importing = threading.Event()
class Slow(Server):
    def prepare(self):
        importing.set()
        time.sleep(0.5)
        import this_module_takes_long
server = Slow()
tracer = tracer_with(server)
end_spans(tracer, "parent's")
importing.wait()
time.sleep(0.6)  # in the middle of the import
pid = os.fork()
if not pid:
    import this_module_takes_long
    end_spans(tracer, "child's")
    report = tracer.flush(10)
    os._exit(0 if report.delivered == 1 else 1)
while not (done := os.waitpid(pid, os.WNOHANG))[0]:
    time.sleep(0.01)
print(os.waitstatus_to_exitcode(done[1]), tracer.flush().delivered)
"""


def test_a_fork_does_not_come_upon_an_import(tmp_path, monkeypatch):
    (tmp_path / "this_module_takes_long.py").write_text("import time\ntime.sleep(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = [sys.executable, "-c", FORKS]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "1"], done.stderr


@pytest.mark.parametrize("leave", ["close", "collect"])
@pytest.mark.usefixtures("quick")
def test_tracers_that_are_gone_hold_nothing_while_their_server_is_down(leave):
    def descriptors():
        return len(list(Path("/proc/self/fd").iterdir()))

    worker_pipelines, before = len(worker._pipelines), descriptors()
    for number in range(20):
        down = Server()
        down.down = True
        tracer = tracer_with(down)
        end_spans(tracer, f"{number}")
        until(lambda: not tracer.stats().pending)  # noqa: B023  called at once
        if leave == "close":
            tracer.close(timeout=0)
        del tracer
    until(lambda: len(worker._pipelines) <= worker_pipelines)
    until(lambda: not senders())
    assert descriptors() <= before + 5
    up = Server()
    with tracer_with(up) as tracer:
        end_spans(tracer, "last")
        tracer.flush()
    assert sorted(up.names) == sorted([*map(str, range(20)), "last"])


def test_what_others_leave_is_taken_over_after_a_while(server, monkeypatch):
    monkeypatch.setattr(outbox, "_ADOPT_S", 0.0)
    with tracer_with(server) as tracer:
        end_spans(tracer, "mine")
        tracer.flush()
        program("killed")
        end_spans(tracer, "mine too")
        until(lambda: sorted(server.names) == ["a", "b", "mine", "mine too"])


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), ImportError("half"), 0])
@pytest.mark.usefixtures("quick")
def test_trouble_that_is_not_about_the_records_costs_none(error, server, tracer, monkeypatch):
    monkeypatch.delenv("OLLAMATRACE_STRICT")
    failures = [error] * 3

    def fails(items):
        if failures:
            failures.pop()
            raise RuntimeError("a bug of the sender's")
        return halves(items)

    def send(records, pause):
        if failures:
            raise failures.pop()
        Server.send(server, records, pause)

    halves = sender._halves
    if error:
        server.send = send
    else:
        monkeypatch.setattr(sender, "_halves", fails)
        server.poison = {"bad"}
    end_spans(tracer, "a", "b", "c")
    report = balanced(tracer.flush())
    assert (report.delivered, report.dropped) == (3, 0)
    if not error:
        server.gate.clear()
        end_spans(tracer, "good", "bad")
        server.gate.set()
        until(lambda: balanced(tracer.flush()).reasons == {"rejected": 1})
        assert not failures


SIGNALS = """
import signal, sys, time
sys.path.insert(0, ".")
from tests.pipeline.test_outbox import Server
from tests.pipeline.tracers import end_spans, tracer_with
server = Server()
server.down = True
tracer = tracer_with(server)
end_spans(tracer, "a")
calls = 0
def handle(*_):
    global calls
    calls += 1
    tracer.stats()
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0003)
end = time.monotonic() + 2
while time.monotonic() < end:
    tracer.stats()
signal.setitimer(signal.ITIMER_REAL, 0)
print("held", calls > 100)
"""


def test_a_signal_handler_may_ask_for_the_account():
    run = [sys.executable, "-c", SIGNALS]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["held", "True"], done.stderr


def test_what_ends_after_the_spool_was_deleted_is_kept(server, tracer):
    server.gate.clear()
    end_spans(tracer, "before")
    until(lambda: tracer.stats().spooled == 1)
    for folder in default_spool().iterdir():
        shutil.rmtree(folder)
    end_spans(tracer, "after")
    until(lambda: tracer.stats().spooled == 2)
    assert spooled_names() == ["after"]
    server.gate.set()
    assert balanced(tracer.flush()).delivered == 2


@pytest.mark.usefixtures("quick")
def test_an_update_never_overtakes_its_trace(server, tracer):
    server.broken = {"*"}
    server.gate.clear()
    end_spans(tracer, "a")
    update_trace(session="s")
    end_spans(tracer, "b")
    tracer.flush(timeout=0.3)
    arrived = []
    server.gate.set()
    until(lambda: server.attempts > 30)

    def send(records, pause):
        arrived.extend(getattr(record, "name", None) or "update" for record in records)

    server.send = send
    tracer.flush()
    assert arrived == ["a", "update", "b"]


@pytest.mark.usefixtures("quick")
def test_what_found_no_room_on_disk_is_written_when_there_is_some(server, tracer, monkeypatch):
    server.down = True
    append = Spool.append
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", no_space)
        end_spans(tracer, "a")
        until(lambda: server.attempts)
        report = balanced(tracer.flush(timeout=0.2))
        assert (report.pending, report.spooled) == (1, 0)
        server.down = False
        server.gate.clear()
        server.attempts = 0
        until(lambda: server.attempts)
        end_spans(tracer, "c")
        until(lambda: tracer.pipeline._lanes[0]._tried == 2)
    assert Spool.append is append
    end_spans(tracer, "d")
    until(lambda: balanced(tracer.stats()).spooled == 2)
    assert sorted(spooled_names()) == ["c", "d"]  # the other is on its way
    server.gate.set()
    assert balanced(tracer.flush()).delivered == 3


@pytest.mark.usefixtures("quick")
def test_what_is_written_late_is_counted_before_it_can_be_sent(server, tracer, monkeypatch):
    """Else it could arrive before it was spooled: less than nothing would be spooled."""
    server.down = True
    box = tracer.pipeline._lanes[0]
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", no_space)
        end_spans(tracer, "on its way")
        until(lambda: server.attempts)
        end_spans(tracer, "a")
        until(lambda: box._tried == 2)
    kept = box._ledger.kept
    early = []

    def look(batch, account):
        parcel = next(one for one in [*box._parcels, None] if one is None or one.batch is batch)
        if parcel is not None and parcel.place is not None:  # the sender could see it by now
            other = threading.Thread(target=lambda: early.append(box._lock.acquire(timeout=0.05)))
            other.start()
            other.join()
        kept(batch, account)

    monkeypatch.setattr(box._ledger, "kept", look)
    end_spans(tracer, "b")
    until(lambda: tracer.stats().spooled == 2)
    assert early == [False]
    server.down = False
    assert balanced(tracer.flush()).delivered == 3


def test_what_has_arrived_in_part_is_not_written_any_more(server, tracer, monkeypatch):
    arrived = []

    def send(records, pause):
        names = [record.name for record in records]
        if len(names) > 1 and not arrived:
            raise Refused("422: not together")
        if "bad" in names and server.denies:
            raise Denied("401")
        arrived.extend(names)

    server.send = send
    server.denies = True
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", no_space)
        with tracer.pipeline._pump_lock:  # both go together
            end_spans(tracer, "good", "bad")
        until(lambda: tracer.stats().destinations[server.url].delivered == 1)
    end_spans(tracer, "more")
    until(lambda: balanced(tracer.stats()).spooled == 1)
    server.denies = False
    until(lambda: balanced(tracer.flush()).delivered == 3)


def no_space(self, lines):
    raise OSError(28, "No space left on device")


def test_what_others_left_is_counted_apart(server, quick):
    killed = (
        "import os, signal\n"
        "from tests.pipeline.test_outbox import Server\n"
        "from tests.pipeline.tracers import end_spans, tracer_with\n"
        "from ollamatrace import update_trace\n"
        "server = Server(); server.down = True\n"
        "tracer = tracer_with(server)\n"
        "end_spans(tracer, 'a', 'bad', 'b')\n"
        "update_trace(tags={'k': 'v'})\n"
        "while tracer.flush(timeout=0.1).spooled < 3: pass\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", killed], cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL
    server.poison = {"bad"}
    with tracer_with(server) as tracer:
        end_spans(tracer, "own")
        tracer.flush()
        [way] = tracer.pipeline.outboxes
        until(lambda: way.adopted.taken and not way.adopted.left)
        report = balanced(tracer.flush())
        assert (report.accepted, report.delivered, report.dropped) == (1, 1, 0)
        assert (way.adopted.taken, way.adopted.delivered) == (4, 2)
        assert way.adopted.dropped == {"rejected": 1}
        assert way.last_rejection == "422: no"
    assert set(server.names) == {"a", "b", "own"}
    [account] = accounts.read(default_spool())
    assert account["adopted"] == {"delivered": 2, "dropped": {"rejected": 1}}
    assert (account["accepted"], account["delivered"]) == (1, 1)


def test_a_tracer_that_sent_nothing_leaves_no_account(server):
    with tracer_with(server):
        pass
    assert list(accounts.read(default_spool())) == []


@pytest.mark.usefixtures("quick")
def test_why_nothing_goes_is_known_while_it_does_not(server, tracer):
    [way] = tracer.pipeline.outboxes
    server.down = True
    end_spans(tracer, "a")
    until(lambda: way.trouble == "connection refused")
    server.down = False
    tracer.flush()
    assert way.trouble is None
    server.denies = True
    end_spans(tracer, "b")
    until(lambda: way.denied)
    assert "MLFLOW_TRACKING_USERNAME" in way.trouble
    server.denies = False
