"""Several processes that write one store while another deletes from it; a disk that is full."""

import resource
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

from ollamatrace import Tracer
from ollamatrace.store import Store
from tests.store.samples import span

WRITER = textwrap.dedent("""
    import json, sys
    from ollamatrace import Tracer
    told = []
    tracer = Tracer("sqlite:///" + sys.argv[1], on_warning=told.append)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(1500):
        with tracer.span(f"{sys.argv[2]} {number}") as one:
            one.inputs = {"messages": [{"content": "the same " * 200}, {"n": number}]}
        if number % 50 == 0:
            tracer.flush(20)
    report = tracer.flush(30)
    tracer.close()
    print(json.dumps([report.accepted, report.delivered, report.dropped, told]))
""")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_writers_and_one_that_prunes(tmp_path):
    path = tmp_path / "a.db"
    old = Store(path)
    old.write([span(n, trace=n, outputs=f"old {n}") for n in range(2000)], experiment="e")
    old.close()
    writers = [start("-c", WRITER, path, name) for name in ("one", "two")]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    pruned = start("-m", "ollamatrace", "prune", "--older-than", "100d", "--store", path)
    out, errors = pruned.communicate(timeout=90)
    assert (pruned.returncode, errors) == (0, "")
    assert "Deleted 2,000 traces" in out
    for writer in writers:
        out, errors = writer.communicate(timeout=90)
        assert (writer.returncode, errors) == (0, "")
        assert out.splitlines()[-1] == "[1500, 1500, 0, []]"
    store = Store(path)
    names = {trace.root.name for trace in store.search(limit=9999)}
    assert names == {f"{writer} {number}" for writer in ("one", "two") for number in range(1500)}
    assert len(store.search("the same", limit=9999)) == 3000


def test_a_disk_too_full_to_write_the_file_anew(tmp_path):
    path = tmp_path / "a.db"
    store = Store(path)
    store.write(
        [span(n, trace=n, outputs=f"{n} " + "x" * 9000) for n in range(400)], experiment="e"
    )
    store.close()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))

    done = subprocess.run(
        [sys.executable, "-m", "ollamatrace", "prune", "--keep", "390", "--store", str(path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "free disk space" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(store.search(limit=999)) == 390


def test_the_turn_of_another_process_is_not_warned_of(tmp_path):
    told = []
    path = tmp_path / "a.db"
    with Tracer(f"sqlite:///{path}", on_warning=told.append) as tracer:
        with tracer.span("one"):
            pass
        assert tracer.flush(5).delivered == 1
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with tracer.span("two"):
                pass
            assert tracer.flush(0.5).pending == 1
            other.execute("ROLLBACK")
        assert tracer.flush(5).delivered == 2
    assert told == []
