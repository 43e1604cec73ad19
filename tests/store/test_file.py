"""The file: whose it is, who may see it, and what happens when it cannot be used."""

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from ollamatrace.errors import ConfigError, StoreError
from ollamatrace.store import Store
from ollamatrace.store.schema import APPLICATION_ID, MIGRATIONS
from tests.store.samples import TRACE, rows, span

CALLS = [
    lambda store: store.write([span()], experiment="e"),
    lambda store: store.search(),
    lambda store: store.search("text"),
    lambda store: store.get(TRACE),
    lambda store: store.trace_ids(""),
]


def test_reading_a_file_that_is_not_there_finds_nothing_and_makes_nothing(tmp_path):
    store = Store(tmp_path / "folder" / "spans.db")
    assert (store.search(), store.search("text"), store.trace_ids("")) == ([], [], [])
    assert store.get(TRACE) is None
    store.write([], experiment="e")
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_is_not_there(store):
    store.write([span()], experiment="e")
    assert store.get("f" * 32) is None


def test_the_file_and_its_folder_are_the_users_own(tmp_path):
    store = Store(tmp_path / "folder" / "spans.db")
    store.write([span()], experiment="e")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in store.path.parent.iterdir()}
    assert modes == dict.fromkeys(["spans.db", "spans.db-wal", "spans.db-shm"], 0o600)
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    store.close()


def test_the_file_says_what_it_is(store):
    store.write([span()], experiment="e")
    assert rows(store.path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert rows(store.path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert rows(store.path, "PRAGMA journal_mode") == [("wal",)]
    assert APPLICATION_ID.to_bytes(4, "big") in store.path.read_bytes()[:100]


@pytest.mark.parametrize("name", ["a?b#c%20d e.db", "ü 😀.db", "file:x?mode=ro", "'\".db"])
def test_any_path_works(tmp_path, name):
    store = Store(tmp_path / name / name)
    store.write([span(outputs="needle")], experiment="e")
    assert len(store.search("needle")) == 1
    store.close()
    assert [p.name for p in store.path.parent.iterdir()] == [name]


def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(Path("spans.db"))
    monkeypatch.chdir("/")
    store.write([span()], experiment="e")
    store.close()
    assert (tmp_path / "spans.db").exists()


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_file_is_ours(tmp_path, call):
    path = tmp_path / "spans.db"
    path.touch()
    store = Store(path)
    assert not call(store)
    store.write([span()], experiment="e")
    assert store.get(TRACE)
    store.close()


def foreign_database(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()


def foreign_wal(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA application_id = 42")
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()


def text_file(path):
    path.write_text("Dear diary")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", [foreign_database, foreign_wal, text_file])
def test_a_file_of_another_program_is_refused_and_not_touched(tmp_path, make, call):
    path = tmp_path / "theirs.db"
    make(path)
    before = path.read_bytes()
    store = Store(path)
    with pytest.raises(ConfigError, match=r"theirs\.db.*choose another path"):
        call(store)
    store.close()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", CALLS)
def test_a_newer_schema_is_refused(store, call):
    store.write([span()], experiment="e")
    store.close()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(ConfigError, match=r"newer ollamatrace.*upgrade"):
        call(store)


@pytest.mark.parametrize("call", CALLS)
def test_a_directory_in_place_of_the_file(tmp_path, call):
    store = Store(tmp_path)
    with pytest.raises(StoreError, match=tmp_path.name):
        call(store)


@pytest.mark.parametrize("folder", ["file", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made(tmp_path, folder):
    (tmp_path / "file").touch()
    store = Store(tmp_path / folder / "spans.db")
    with pytest.raises(StoreError, match=r"cannot write the store .*spans\.db"):
        store.write([span()], experiment="e")


def test_a_full_disk_keeps_what_was_written(store):
    store.write([span(1)], experiment="e")
    store._connection.execute("PRAGMA max_page_count = 40")
    with pytest.raises(StoreError, match="full"):
        store.write([span(2), span(3, outputs=["x" * 1000] * 1000)], experiment="e")
    assert len(store.get(TRACE).spans) == 1
    store.write([span(2)], experiment="e")
    assert len(store.get(TRACE).spans) == 2


def test_a_damaged_file(store):
    store.write([span(n, outputs="x" * 900) for n in range(200)], experiment="e")
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    store.path.write_bytes(content)
    with pytest.raises(StoreError, match=r"spans\.db"):
        store.search()
    with pytest.raises(StoreError, match=r"spans\.db"):
        store.write([span()], experiment="e")


@pytest.mark.parametrize("call", CALLS)
def test_a_log_that_was_copied_into_the_file_in_part_is_read_with_it(tmp_path, call):
    writer = Store(tmp_path / "live" / "spans.db")
    writer.write([span(n, outputs="x" * 900) for n in range(200)], experiment="e")
    killed = tmp_path / "spans.db"
    for end in ("", "-wal"):  # as `kill -9` leaves them
        shutil.copy(f"{writer.path}{end}", f"{killed}{end}")
    writer.close()
    first_page = writer.path.read_bytes()[:4096]  # the first that is copied
    with killed.open("r+b") as file:
        file.write(first_page)
    assert int.from_bytes(first_page[28:32], "big") * 4096 > killed.stat().st_size
    store = Store(killed)
    call(store)
    store.write([span(300)], experiment="e")
    assert len(store.get(TRACE).spans) in {200, 201}
    assert rows(killed, "PRAGMA integrity_check") == [("ok",)]
    store.close()


def test_a_log_that_grew_because_somebody_read_gets_small_again(store):
    store.write([span(1)], experiment="e")
    log = store.path.with_name("spans.db-wal")
    with store._reading():
        for number in range(2, 12):
            store.write([span(number, outputs=f"{number}" + "x" * 4_000_000)], experiment="e")
    assert log.stat().st_size > 40_000_000
    for number in range(20, 23):
        store.write([span(number, outputs="y" * 5_000_000)], experiment="e")
    assert log.stat().st_size < 20_000_000


def test_content_that_is_missing(store):
    store.write([span(outputs="x" * 2000)], experiment="e")
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("DELETE FROM content")
        connection.commit()
    with pytest.raises(StoreError, match="missing"):
        store.get(TRACE)


def test_a_locked_file_fails_quickly_and_works_again(store):
    store.write([span(1)], experiment="e")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreError, match="locked"):
            store.write([span(2)], experiment="e")
        assert time.monotonic() - began < 0.5
        assert len(store.get(TRACE).spans) == 1  # reading goes on
        assert store.search("chat")  # without the index
        other.execute("ROLLBACK")
    store.write([span(2)], experiment="e")
    assert len(store.get(TRACE).spans) == 2


def test_close_may_be_called_twice_and_a_later_call_opens_again(store):
    store.close()
    store.write([span(1)], experiment="e")
    store.close()
    store.close()
    assert [p.name for p in store.path.parent.iterdir()] == ["spans.db"]
    store.write([span(2)], experiment="e")
    assert len(store.get(TRACE).spans) == 2


@pytest.fixture
def unprivileged():
    """A folder, and a user who may read it but not write there."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        root = os.geteuid() == 0
        yield folder, lambda: (folder.chmod(0o555), root and os.seteuid(65534))
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.parametrize("closed", [True, False])
def test_what_may_only_be_read_can_be_read(unprivileged, closed):
    folder, become = unprivileged
    writer, reader = Store(folder / "spans.db"), Store(folder / "spans.db")
    writer.write([span(outputs="needle")], experiment="e")
    if closed:
        writer.close()
    for path in folder.iterdir():
        path.chmod(0o444)
    become()
    assert reader.get(TRACE)
    assert reader.search("needle")
    with pytest.raises(StoreError, match="readonly"):
        reader.write([span()], experiment="e")
    writer.close()
