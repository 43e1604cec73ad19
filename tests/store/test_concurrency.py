"""Threads, processes and forks that use one file at a time."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from ollamatrace.store import Store, schema
from ollamatrace.store import store as store_module
from tests.store.samples import TRACE, conversation, span

# From Python 3.12 on; the timeout of pytest is a thread.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_child(act):
    """Run `act` in a fork; its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_pause_is_called_between_spans_while_the_file_is_not_locked(store):
    other = Store(store.path)
    calls = []

    def pause():
        calls.append(1)
        other.write([span(len(calls), trace=1)], experiment="e")

    store.write([span(n) for n in range(3)], experiment="e", pause=pause)
    other.close()
    assert len(calls) >= 2
    assert len(store.search()) == 2


def test_a_batch_is_written_whole_or_not_at_all(store):
    store.write([span(1)], experiment="e")
    with pytest.raises(ValueError, match="NOT NULL"):
        store.write([span(2), span(3, name=None)], experiment="e")
    assert len(store.get(TRACE).spans) == 1


def test_readers_see_whole_batches_while_one_thread_writes(store):
    spans = list(conversation(40))
    done = threading.Event()
    failures = []

    def read():
        try:
            while not done.is_set():
                seen = store.search(limit=1000)
                assert len(seen) % 4 == 0
                assert len(store.search("answer 1:")) <= 40
                assert all(trace.spans[0].outputs for trace in seen)
        except BaseException as error:  # noqa: BLE001  shown by the test
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for first in range(0, 40, 4):
        store.write(spans[first : first + 4], experiment="e")
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(store.search("answer 1:", limit=100)) == 39


def test_a_file_that_somebody_else_creates_at_the_same_moment(store, monkeypatch):
    other = Store(store.path)
    version = schema.version

    def late(connection, path):
        found = version(connection, path)
        monkeypatch.setattr(schema, "version", version)
        other.write([span(1)], experiment="e")
        return found

    monkeypatch.setattr(schema, "version", late)
    store.write([span(2)], experiment="e")
    other.close()
    assert len(store.get(TRACE).spans) == 2


def test_processes_that_open_a_fresh_file_at_once(tmp_path):
    script = textwrap.dedent("""
        import sys
        sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from tests.store.samples import span
        from ollamatrace.errors import StoreError
        from ollamatrace.store import Store
        store = Store(Path(sys.argv[2]))
        number = int(sys.argv[3])
        print("ready", flush=True)
        sys.stdin.readline()
        for attempt in range(100):
            try:
                store.write([span(number)], experiment="e")
                break
            except StoreError as error:
                assert "locked" in str(error), error
        store.close()
    """)
    path = tmp_path / "new" / "spans.db"
    root = str(Path(__file__).parents[2])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, root, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert len(Store(path).get(TRACE).spans) == 4


def test_parent_and_child_of_a_fork_both_write(store):
    store.write([span(1)], experiment="e")

    def child():
        store.abandon()
        store.write([span(2)], experiment="e")
        assert len(store.get(TRACE).spans) == 2

    assert in_child(child) == 0
    store.write([span(3)], experiment="e")
    assert len(store.get(TRACE).spans) == 3


def test_what_a_child_writes_survives_the_parent_closing_the_file(store):
    # SQLite in the child would believe in the parent's locks if the file were open at the fork.
    store.write([span(1)], experiment="e")
    (closed, close), (written, write) = os.pipe(), os.pipe()

    def child():
        store.abandon()
        store.write([span(2)], experiment="e")
        os.write(write, b"x")
        os.read(closed, 1)
        store.write([span(3)], experiment="e")

    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(0)
    os.read(written, 1)
    store.write([span(4)], experiment="e")
    store.close()
    os.write(close, b"x")
    os.waitpid(pid, 0)
    for end in (closed, close, written, write):
        os.close(end)
    assert len(store.get(TRACE).spans) == 4


def test_a_fork_waits_for_readers_and_the_child_can_read(store):
    store.write([span(1)], experiment="e")
    reading = store._reading()
    reading.__enter__()
    left = threading.Event()

    def leave():
        left.set()
        reading.__exit__(None, None, None)

    timer = threading.Timer(0.05, leave)
    timer.start()

    def child():
        store.abandon()
        assert left.is_set()
        assert store.get(TRACE)

    assert in_child(child) == 0
    timer.join()


def test_abandon_leaves_an_inherited_connection_open(store):
    store.write([span(1)], experiment="e")
    inherited = store._connection
    store.abandon()
    assert store._connection is None
    assert inherited.execute("SELECT count(*) FROM span").fetchone() == (1,)
    store.write([span(2)], experiment="e")
    store_module._abandoned.remove(inherited)
    inherited.close()
