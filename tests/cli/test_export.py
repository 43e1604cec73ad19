"""`ollamatrace export`: the record lines of many traces, in constant memory."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from ollamatrace.store import Store
from ollamatrace.store.maintenance import Maintenance

A = "a" * 32
B = "b" * 32
C = "c" * 32


def ids(done):
    assert done.returncode == 0, done.stderr
    return list(dict.fromkeys(json.loads(line)["trace_id"] for line in done.stdout.splitlines()))


def test_all_traces_come_as_record_lines_the_oldest_first(run, path, fill, make):
    late, early = make.chat(C, 1, start=60.0), make.agent(A)
    fill(late)
    fill(*early)
    done = run("export", "--store", path, text=False)
    assert done.stdout == b"".join(one.line() + b"\n" for one in [*early, late])
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "error"], [A]),
        (["--text", "weather"], [A]),
        (["--model", "m:1b"], [A, C]),
        (["--session", "s1"], [C]),
        (["--experiment", "Other"], [C]),
        (["--since", "1m"], []),
        ([C[:4]], [C]),
        ([C, "tr-" + A, C], [C, A]),
    ],
)
def test_some_traces(run, path, fill, make, options, found):
    fill(make.chat(C, 1, start=60.0, session="s1"), experiment="Other")
    fill(*make.agent(A))
    done = run("export", *options, "--store", path)
    assert ids(done) == found
    assert ("matches" in done.stderr) == (not found)


def test_a_file_is_whole_private_and_not_replaced_by_accident(run, path, fill, make, tmp_path):
    fill(*make.agent(A))
    target = tmp_path / "out.jsonl"
    done = run("export", "--store", path, "-o", target)
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 trace, 4 spans" in done.stderr
    assert len(target.read_bytes().splitlines()) == 4
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    target.write_text("precious")
    done = run("export", "--store", path, "-o", target)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert target.read_text() == "precious"
    assert run("export", "--store", path, "-o", target, "--force").returncode == 0
    assert len(target.read_bytes().splitlines()) == 4


def test_the_store_itself_is_never_replaced(run, path, fill, make, tmp_path):
    fill(make.chat(A, 1))
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    for output in (path, link):
        done = run("export", "--store", str(path), "-o", str(output), "--force")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert "is the store itself" in done.stderr
    assert Store(path).get(A)


def test_what_goes_wrong_leaves_no_file(run, path, fill, make, tmp_path):
    fill(*make.agent(A))
    store = Store(path)
    with store._writing() as connection:
        connection.execute("UPDATE span SET inputs = CAST('{' AS BLOB) WHERE name = 'get_weather'")
        connection.execute("DELETE FROM content")
        connection.execute('UPDATE span SET rest = CAST(\'{"$ollamatrace":"text:00"}\' AS BLOB)')
    store.close()
    folder = tmp_path / "out"
    folder.mkdir()
    done = run("export", "--store", path, "-o", folder / "x.jsonl")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "damaged" in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["f00d"], "no trace f00d"),
        (["xyz"], "32 hex digits"),
        ([A, "--status", "OK"], "not both"),
        (["--status", "FINE"], "--status takes"),
        (["-o", "/nowhere/at/all/x.jsonl"], "/nowhere/at/all"),
    ],
)
def test_errors_are_one_line(run, path, fill, make, arguments, said):
    fill(make.chat(A, 1))
    done = run("export", *arguments, "--store", path)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_no_store_is_an_error_and_makes_none(run, path):
    done = run("export", "--store", path)
    assert done.returncode == 1
    assert "there is no store" in done.stderr
    assert not path.exists()


@pytest.mark.usefixtures("environ")
def test_a_reader_that_goes_away_is_no_error(path, fill, make):
    fill(*[make.chat(f"{n:032x}", 1, said="word " * 1000, start=n) for n in range(500)])
    with subprocess.Popen(
        [sys.executable, "-m", "ollamatrace", "export", "--store", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_others_write_meanwhile_and_memory_does_not_grow(path, fill, make):
    """Each trace has its own 20 kB: all of them together are more than what is read at once."""
    fill(*[make.chat(f"{n:032x}", 1, said=f"{n} " * 4000, start=n) for n in range(600)])
    store, writer = Store(path), Store(path)
    scan = store.scan()
    assert len(scan) == 600
    seen = 0
    for number, trace in enumerate(scan):
        assert trace.trace_id == f"{number:032x}"
        seen += 1
        if number % 100 == 0:  # in the middle of a page: no transaction is open
            assert store._readers == 0
            writer.write([make.chat(f"{number + 10_000:032x}", 1)], experiment="Default")
    assert seen == 600
    assert len(store.scan()) == 606
    writer.close()


def test_a_trace_in_the_row_of_one_that_was_deleted_meanwhile_is_not_taken_for_it(path, fill, make):
    fill(*[make.chat(f"{n:032x}", 1, session="mine", start=n) for n in range(3)])
    store = Store(path)
    scan = store.scan(session="mine")
    with closing(Maintenance(path)) as maintenance:
        assert sum(maintenance.delete([f"{2:032x}"])) == 1
    fill(make.chat(f"{9:032x}", 1, session="other"))
    assert [int(trace.trace_id, 16) for trace in scan] == [0, 1]


def test_only_the_spans_of_an_experiment(path, fill, make):
    fill(make.span(A, 1))
    fill(make.chat(A, 2, parent=1), make.chat(C, 1, start=60.0), experiment="Other")
    store = Store(path)
    assert store.experiments() == {"Default": 1, "Other": 2}
    assert [len(trace.spans) for trace in store.scan(experiment="Other")] == [2, 1]
    assert [len(trace.spans) for trace in store.scan(experiment="Other", whole=False)] == [1, 1]
