"""`ollamatrace privacy-scan`: in real stores and spools, wherever something may be."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ollamatrace.cli.app import app
from ollamatrace.records import TraceUpdate
from ollamatrace.spool import Spool, accounts
from ollamatrace.store import Store
from ollamatrace.store.maintenance import Maintenance
from ollamatrace.store.retention import Limits, delete

A = "a" * 32
B = "b" * 32
C = "c" * 32
PLANTED = "zorro.vega@pueblo.example"
URL = "http://127.0.0.1:1/api"


@pytest.fixture
def run(environ):
    """Run a command in this process, which is quicker."""

    def command(*arguments, **options):
        done = CliRunner().invoke(app, list(map(str, arguments)), **options)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    return command


@pytest.fixture
def scan(run, path):
    """Look at the store, or at what the options name; findings, and the summary."""

    def command(*options, where=None, text=PLANTED):
        where = ("--store", path) if where is None else where
        chosen = ("--text", text) if text else ()
        done = run("privacy-scan", *where, *chosen, "--json", *options)
        assert PLANTED not in done.stdout + done.stderr
        *found, summary = map(json.loads, done.stdout.splitlines())
        assert done.returncode == int(not summary["clean"])
        assert summary["found"].values() if found else summary["clean"]
        return found, summary

    return command


def in_spans(found):
    return [(one["span_id"], one["field"]) for one in found if one["where"] == "span"]


def planted(make, field):
    """A span that has the secret in one place only."""
    chunks = [
        {"name": "chunk", "time_ns": 1, "attributes": {"text": f"{number} {PLANTED}"}}
        for number in range(20)
    ]
    raised = {"name": "exception", "time_ns": 1, "attributes": {"exception.message": PLANTED}}
    fields = {
        "inputs": {"given": {"messages": [{"role": "user", "content": f"I am {PLANTED}!"}]}},
        "key": {"given": {"people": {PLANTED: 1}}},
        "escaped": {"given": {"arguments": json.dumps({"to": PLANTED}).replace("@", "\\u0040")}},
        "long": {"given": {"content": "x" * 5000 + PLANTED}},
        "password": {"given": {"password": "hunter two"}},
        "number": {"given": {"number": 4111111111111111}},
        "outputs": {"gave": {"message": {"content": PLANTED}}},
        "chunks": {"events": chunks},
        "exception": {"events": [raised]},
        "name": {"name": PLANTED},
        "kind": {"kind": PLANTED},
        "status_message": {"status_message": PLANTED},
        "model": {"model": PLANTED},
        "provider": {"provider": PLANTED},
        "session": {"session": PLANTED},
        "user": {"user": PLANTED},
        "tags": {"tags": {"who": PLANTED}},
        "metadata": {"metadata": {"who": PLANTED}},
        "attributes": {"attributes": {"who": [PLANTED]}},
        "warnings": {"warnings": [f"{PLANTED} was cut"]},
    }
    return make.span(A, 7, **fields[field])


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ("inputs", "inputs.messages[0].content"),
        ("key", 'inputs.people["<email>"] (the key)'),
        ("escaped", "inputs.arguments"),
        ("long", "inputs.content"),
        ("password", "inputs.password"),
        ("number", "inputs.number"),
        ("outputs", "outputs.message.content"),
        ("chunks", "events[19].attributes.text"),
        ("exception", 'events[0].attributes["exception.message"]'),
        ("name", "name"),
        ("kind", "kind"),
        ("status_message", "status_message"),
        ("model", "model"),
        ("provider", "provider"),
        ("session", "session"),
        ("user", "user"),
        ("tags", "tags.who"),
        ("metadata", "metadata.who"),
        ("attributes", "attributes.who[0]"),
        ("warnings", "warnings[0]"),
    ],
)
def test_every_field_of_a_span(scan, fill, make, where, field):
    fill(make.chat(B, 1), planted(make, where))
    found, summary = scan(text=None)
    assert summary["spans"] == 2
    assert ("0000000000000007", field) in in_spans(found)
    assert {one["trace_id"] for one in found if one["where"] == "span"} == {A}
    assert {one["rule"] for one in found} == {
        {"number": "card", "password": "key"}.get(where, "email")
    }


def test_a_literal_is_found_with_what_json_and_urls_make_of_it(scan, fill, make):
    name = 'Ann "é" Bö/x'
    encoded = json.dumps(name)
    forms = (encoded, json.dumps(encoded), r"Ann \"é\" Bö\/x", "Ann+%22%C3%A9%22+B%C3%B6%2Fx")
    for number, text in enumerate((name, *forms), 1):
        fill(make.chat(A, number, asked=f"<{text}>"))
    found, _ = scan(text=name)
    assert {span for span, _ in in_spans(found)} == {f"{number:016x}" for number in range(1, 6)}
    assert [one for one in found if one["where"] == "file"]


def test_clean(run, path, fill, make):
    fill(*make.agent(A), make.chat(B, 1))
    done = run("privacy-scan", "--store", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("clean: 5 spans, ")
    assert done.stdout.endswith(" kB looked at\n")


def test_what_is_found_is_not_printed(run, path, fill, make):
    for trace_id, field in zip((A, B, C), ("inputs", "key", "name"), strict=True):
        span = planted(make, field)
        span.trace_id = trace_id
        fill(span)
    patterns = ("--pattern", "zorro[.]vega", "--text", PLANTED, "--rule", "email")
    done = run("privacy-scan", "--store", path, *patterns)
    assert done.returncode == 1
    assert "zorro" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    span = f"trace {A} span 0000000000000007"
    assert f"email: {span} Chat, inputs.messages[0].content, 25 characters at 5" in lines
    assert f"text 1: {span} Chat, inputs.messages[0].content, 25 characters at 5" in lines
    assert f"pattern 1: {span} Chat, inputs.messages[0].content, 10 characters at 5" in lines
    assert lines[-1].startswith("found: ")


def test_many_places_in_bytes_are_counted(run, path, fill, make):
    fill(*(make.chat(A, number, session=f"s{number}-{PLANTED}") for number in range(1, 40)))
    done = run("privacy-scan", "--store", path, "--text", PLANTED)
    assert len([one for one in done.stdout.splitlines() if " byte" in one]) <= 21 + 40
    assert f"text 1: {path}" in done.stdout
    assert " more\n" in done.stdout


def test_an_experiment(scan, fill, make):
    fill(make.chat(A, 1), experiment=PLANTED)
    found, _ = scan()
    assert "experiment" in [one["file"].split()[-1] for one in found if one["where"] == "store"]


def test_the_log_that_is_not_in_the_file_yet(scan, path, make):
    store = Store(path)
    store.write([make.chat(A, 1)], experiment="Default")
    store.write([planted(make, "inputs")], experiment="Default")
    found, _ = scan()  # with the store open: what it wrote is in the log
    files = {one["file"] for one in found if one["where"] == "file"}
    store.close()
    assert f"{path}-wal" in files


def test_pages_that_are_free_again(scan, path, make):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        Store(path).write([make.chat(A, 1)], experiment="Default")
        connection.execute("PRAGMA secure_delete = OFF")
        with connection:
            body = ("x" * 20_000 + PLANTED).encode()
            connection.execute("INSERT INTO content (hash, body) VALUES (x'00', ?)", (body,))
        with connection:
            connection.execute("DELETE FROM content WHERE hash = x'00'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found, _ = scan()
    assert found
    assert {one["where"] for one in found} == {"file"}
    assert {one["file"] for one in found} >= {str(path)}


def test_a_text_that_goes_on_in_another_page(scan, path, make):
    store = Store(path)
    store.write([make.span(A, 1, given={"long": PLANTED * 2000})], experiment="Default")
    store.close()
    found, _ = scan(text=PLANTED)
    size = 4096
    across = [
        one
        for one in found
        if one["where"] == "file" and one["at"] // size < (one["at"] + one["length"] - 1) // size
    ]
    assert len(across) >= 8


def test_what_rm_deleted_is_gone(scan, run, path, fill, make):
    fill(make.chat(B, 1), planted(make, "inputs"), planted(make, "long"))
    assert scan()[0]
    assert run("ls", "--store", path, "--text", "vega").returncode == 0  # makes the text index
    assert run("rm", A, "--yes", "--store", path).returncode == 0
    assert scan()[0] == []


def test_a_deleted_trace_that_is_not_taken_away_yet(scan, path, fill, make):
    fill(make.chat(B, 1), planted(make, "inputs"), planted(make, "chunks"))
    with closing(sqlite3.connect(path)) as connection, connection:
        (row,) = connection.execute("SELECT id FROM trace WHERE trace_id = ?", (A,)).fetchone()
        delete(connection, [row])
    found, summary = scan()
    assert summary["spans"] == 1
    rows = {one["file"] for one in found if one["where"] == "store"}
    assert len(rows) >= 1
    assert not in_spans(found)


def test_a_text_that_no_span_has(scan, path, fill, make):
    fill(make.chat(B, 1))
    with closing(sqlite3.connect(path)) as connection, connection:
        body = json.dumps({"content": PLANTED}).encode()
        connection.execute("INSERT INTO content (hash, body) VALUES (x'00', ?)", (body,))
    found, _ = scan()
    assert [one["field"] for one in found if one["where"] == "store"] == ["content"]


def test_the_text_index(scan, path, fill, make):
    fill(make.chat(B, 1))
    Store(path).search("sky")
    with closing(sqlite3.connect(path)) as connection, connection:
        query = "INSERT INTO text_index (rowid, body) VALUES (99, ?)"
        connection.execute(query, (PLANTED.casefold(),))
    found, _ = scan()
    assert [one["where"] for one in found] == ["index"]


def test_nothing_is_changed(scan, path, fill, make):
    fill(*make.agent(A), planted(make, "inputs"))
    with closing(Maintenance(path)) as maintenance:
        maintenance.compact()
    before = path.read_bytes()
    assert scan()[0]
    assert path.read_bytes() == before
    path.chmod(0o400)
    assert scan()[0]
    assert path.read_bytes() == before


def test_an_empty_store_and_one_without_spans(run, path, make):
    path.touch()
    assert run("privacy-scan", "--store", path).stdout.startswith("clean: 0 spans, 0 texts")
    store = Store(path)
    store.write([make.chat(A, 1)], experiment="Default")
    store.keep_within(Limits(after=(2**62, 0)), 5)
    store.close()
    done = run("privacy-scan", "--store", path)
    assert (done.returncode, done.stdout[:16]) == (0, "clean: 0 spans, ")


def test_nothing_at_all(run):
    done = run("privacy-scan")
    assert (done.returncode, done.stdout) == (0, "clean: 0 spans, 0 texts, 0 bytes looked at\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rule", "emial"], "--rule takes email, phone, key, card"),
        (["--pattern", "(" + PLANTED], "--pattern 1 is no regular expression"),
        (["--text", ""], "not empty"),
        (["--text-file", "/does/not/exist"], "exist"),
        (["--store", "missing.db"], "there is no store"),
        (["--store", "."], "is no file"),
        (["--spool", "missing"], "there is no folder"),
        (["--store", "http://localhost"], "--store takes"),
    ],
)
def test_wrong_usage(run, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    done = run("privacy-scan", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert PLANTED not in done.stderr


def test_not_a_store(run, path):
    path.write_text("Dear diary")
    assert run("privacy-scan", "--store", path).returncode == 2
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    done = run("privacy-scan", "--store", path)
    assert done.returncode == 2
    assert "another program" in done.stderr


def test_a_store_that_is_written_and_one_that_is_locked(scan, run, path, make):
    store = Store(path)
    store.write([planted(make, "inputs")], experiment="Default")
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE span SET kind = 'TOOL'")
        assert len(in_spans(scan()[0])) == 1
        writer.execute("ROLLBACK")
    with closing(sqlite3.connect(path, isolation_level=None)) as owner:
        owner.execute("PRAGMA locking_mode = EXCLUSIVE")
        owner.execute("BEGIN EXCLUSIVE")
        done = run("privacy-scan", "--store", path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "locked" in done.stderr


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "share" / "ollamatrace" / "spool"


def leave(folder, *lines):
    """Have a program leave lines in the spool, and end."""
    one = Spool(folder, URL, "Default")
    one.append(b"".join(line + b"\n" for line in lines))
    one.close()
    return next(iter(sorted(one.folder.glob("[0-9]*.jsonl"))))


def test_the_spool_is_looked_at_with_the_store(scan, spool, make):
    update = TraceUpdate(trace_id=B, tags={"who": PLANTED})
    path = leave(spool, make.chat(B, 1).line(), planted(make, "inputs").line(), update.line())
    found, summary = scan(where=())
    assert summary["spans"] == 2
    lines = [
        (one.get("span_id"), one["line"], one["field"]) for one in found if one["where"] == "spool"
    ]
    assert lines == [
        ("0000000000000007", 3, "inputs.messages[0].content"),
        (None, 4, "trace_update.tags.who"),
    ]
    assert {one["file"] for one in found} == {str(path)}


def test_what_was_refused_and_the_accounts(scan, spool, make):
    refusing = Spool(spool, URL, "Default")
    rejected = refusing.reject([planted(make, "tags").line()], f"400 {PLANTED}")
    rejected.replace(rejected.with_suffix(".old"))
    refusing.reject([planted(make, "tags").line()], "400")
    accounts.note(spool, [{"url": URL, "reasons": {PLANTED: 1}}])
    found, _ = scan(where=("--spool", spool))
    places = [(one["file"].rpartition("/")[2], one["field"]) for one in found if "field" in one]
    assert sorted(places) == [
        ("accounts.jsonl", 'reasons["<text 1>"] (the key)'),
        ("rejected.jsonl", "tags.who"),
        ("rejected.old", "reason"),
        ("rejected.old", "tags.who"),
    ]
    assert {one["trace_id"] for one in found if one.get("field") == "tags.who"} == {A}


def test_a_torn_line(scan, spool, make):
    path = leave(spool, make.chat(B, 1).line())
    line = planted(make, "inputs").line()
    with path.open("ab") as file:
        file.write(line[: line.index(PLANTED.encode()) + len(PLANTED) + 3])
    found, summary = scan(where=("--spool", spool))
    assert summary["spans"] == 1
    assert [(one["where"], one.get("line")) for one in found] == [("spool", 3), ("file", None)]


def test_a_file_that_cannot_be_read(run, spool, make, monkeypatch):
    path = leave(spool, make.chat(B, 1).line())
    opened = type(path).open

    def refuse(self, *arguments, **options):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(type(path), "open", refuse)  # root may read everything
    done = run("privacy-scan", "--spool", spool)
    assert done.returncode == 2
    assert f"cannot read {path}: Permission denied" in done.stderr
    assert "not all could be read" in done.stdout


def test_texts_of_a_file_and_of_stdin(scan, run, path, fill, make, tmp_path):
    fill(planted(make, "inputs"))
    names = tmp_path / "names.txt"
    names.write_text(f"Nobody\n\n{PLANTED}\n")
    found, summary = scan("--text-file", names, text=None)
    assert len(in_spans(found)) == 1
    assert list(summary["found"]) == ["text 2"]
    done = run("privacy-scan", "--store", path, "--text-file", "-", input="Nobody\n")
    assert done.returncode == 0


def test_where_in_a_big_file(tmp_path, scan):
    folder = tmp_path / "spool"
    folder.mkdir()
    for at in (1024 * 1024 - 10, 1024 * 1024, 2 * 1024 * 1024 - 1):
        body = bytearray(b" " * (3 * 1024 * 1024))
        body[at : at + len(PLANTED)] = PLANTED.encode()
        (folder / "big").write_bytes(body)
        found, _ = scan(where=("--spool", folder))
        assert [one["at"] for one in found if one["where"] == "file"] == [at]


def test_memory_stays_small(path, environ, make):
    """Looking at a large store takes no more memory than at a small one."""
    store = Store(path)
    for number in range(1, 49):
        text = os.urandom(1_000_000).hex()
        store.write([make.chat(f"{number:032x}", 1, asked=text)], experiment="Default")
    store.close()
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ollamatrace.cli.scanning.command import Asked, scan\n"
        "code = scan(Asked([], [], ['Zorro'], None, sys.argv[1], None), as_json=True)\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kilobytes = int(done.stdout.splitlines()[-1])
    assert kilobytes < 96_000
    assert path.stat().st_size > 96_000_000


def test_a_process_of_its_own(path, environ, fill, make):
    fill(planted(make, "inputs"))
    command = [sys.executable, "-m", "ollamatrace", "privacy-scan", "--store", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"email: trace {A} span 0000000000000007 Chat, inputs" in done.stdout
    done = subprocess.run([*command, "--rule", "x"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --rule takes")
