"""What waits in files outlives its process, and belongs to one process at a time."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from ollamatrace.spool import Spool

URL = "http://127.0.0.1:5000"


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path, URL, "Default")
    yield spool
    spool.close()


def files(spool):
    return sorted(spool.folder.glob("*.jsonl"))


def adopted(spool):
    return [(place.read(), count) for place, count, _ in spool.adopt()]


def left_behind(spool, *batches):
    """Have a process that is killed leave segments behind."""
    code = (
        "import json, os, signal, sys; from pathlib import Path\n"
        "from ollamatrace.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), sys.argv[2], 'Default')\n"
        "for text in json.load(sys.stdin): spool.append(text.encode())\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = [sys.executable, "-c", code, str(spool.folder.parent), URL]
    killed = subprocess.run(run, input=json.dumps(batches), text=True)
    assert killed.returncode == -signal.SIGKILL


def test_a_file_lives_as_long_as_something_of_it_waits(spool):
    first = spool.append(b'{"a": 1}\n{"a": 2}\n')
    second = spool.append(b'{"a": 3}\n')
    assert first.read() == [b'{"a": 1}', b'{"a": 2}']
    assert second.read() == [b'{"a": 3}']
    [file] = files(spool)
    assert file.read_bytes().splitlines()[0] == (
        b'{"spool":1,"url":"http://127.0.0.1:5000","experiment":"Default"}'
    )
    spool.done(first)
    assert files(spool) == [file]
    spool.done(second)
    assert files(spool) == []
    assert spool.append(b"{}\n").read() == [b"{}"]


def test_only_the_user_may_read_it(spool):
    spool.append(b"{}\n")
    [file] = files(spool)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


def test_a_full_segment_is_followed_by_another(spool):
    big = b'"' + b"x" * 5_000_000 + b'"\n'
    spool.append(big)
    spool.append(b"{}\n")
    assert len(files(spool)) == 2


def test_destinations_have_folders_of_their_own(tmp_path, spool):
    others = [Spool(tmp_path, URL, "Other"), Spool(tmp_path, "http://127.0.0.1:5001", "Default")]
    assert len({one.folder for one in [spool, *others]}) == 3
    assert not spool.folder.is_relative_to(others[0].folder)


def test_what_a_killed_process_left_is_adopted_once(tmp_path, spool):
    left_behind(spool, '{"a": 1}\n{"a": 2}\n', '{"a": 3}\n', '{"torn": ')
    other = Spool(tmp_path, URL, "Default")
    assert adopted(spool) == [([b'{"a": 1}', b'{"a": 2}', b'{"a": 3}'], 3)]
    assert adopted(other) == adopted(spool) == []


def test_what_was_adopted_is_deleted_when_it_has_arrived(spool):
    left_behind(spool, "{}\n")
    [(place, _, written)] = spool.adopt()
    assert written == pytest.approx(place.segment.path.stat().st_mtime)
    spool.done(place)
    assert files(spool) == []


def test_what_was_not_done_can_be_adopted_again(tmp_path, spool):
    left_behind(spool, "{}\n")
    assert adopted(spool)
    spool.close()
    assert adopted(Spool(tmp_path, URL, "Default")) == [([b"{}"], 1)]


def test_a_big_segment_is_adopted_in_places_of_whole_lines(spool):
    line = '{"a": "' + "x" * 99_000 + '"}\n'
    left_behind(spool, *[line] * 25)
    places = adopted(spool)
    assert [count for _, count in places] == [11, 11, 3]
    assert all(one == line.strip().encode() for lines, _ in places for one in lines)


def test_what_a_living_process_has_is_not_adopted(tmp_path, spool):
    spool.append(b"{}\n")
    assert adopted(Spool(tmp_path, URL, "Default")) == []


def test_foreign_files_are_left_alone(spool):
    spool.folder.mkdir(parents=True)
    for name, text in {"a.jsonl": "{}\n", "b.jsonl": "", "rejected.jsonl": "{}\n"}.items():
        (spool.folder / name).write_text(text)
    assert adopted(spool) == []
    assert len(files(spool)) == 3


def test_a_segment_of_nothing_but_a_header_is_cleaned_up(spool):
    left_behind(spool, '{"torn": ')
    assert adopted(spool) == []
    assert files(spool) == []


def test_a_disk_without_room_leaves_nothing_half_written(spool, monkeypatch):
    spool.append(b'{"a": 1}\n')
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:3]) and fail())
        with pytest.raises(OSError, match="No space"):
            spool.append(b'{"a": 2}\n')
    spool.append(b'{"a": 3}\n')
    assert files(spool)[0].read_bytes().splitlines()[1:] == [b'{"a": 1}', b'{"a": 3}']


def fail():
    raise OSError(28, "No space left on device")


def test_a_child_after_a_fork_leaves_the_files_to_its_parent(tmp_path, spool):
    place = spool.append(b"{}\n")
    pid = os.fork()
    if not pid:
        spool.abandon()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert place.read() == [b"{}"]
    assert adopted(Spool(tmp_path, URL, "Default")) == []  # the parent's lock holds


def test_what_is_refused_for_good_is_set_aside(spool):
    path = spool.reject([b'{"name":"a"}'], "422: no")
    spool.reject([b'{"name":"b"}'], "422: no")
    assert path.read_text() == (
        '{"reason":"422: no","record":{"name":"a"}}\n{"reason":"422: no","record":{"name":"b"}}\n'
    )
