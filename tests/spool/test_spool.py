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
from ollamatrace.spool import spool as spools

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
    assert [count for _, count in places] == [10, 10, 5]
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


def test_a_large_backlog_keeps_few_files_open(spool, monkeypatch):
    monkeypatch.setattr(spools, "_SEGMENT_BYTES", 4000)
    for _ in range(1024):  # would be 1 GiB in segments of 4 MiB
        spool.append(b"x" * 1023 + b"\n")
    assert 16 < len(files(spool)) < 70


def test_of_many_files_some_are_taken_over_at_a_time(spool, monkeypatch):
    monkeypatch.setattr(spools, "_ADOPTED", 3)
    for number in range(8):
        one = Spool(spool.folder.parent, URL, "Default")
        one.append(b"%d\n" % number)
        one.close()
    size = files(spool)[0].stat().st_size
    first = [place for place, _, _ in spool.adopt()]
    assert [place.read() for place in first] == [[b"0"], [b"1"], [b"2"]]
    assert (spool.has_more, spool.beyond) == (False, 5 * size)
    assert list(spool.adopt()) == []
    spool.done(first[0])
    assert spool.has_more
    assert adopted(spool) == [([b"3"], 1)]
    spool.done(first[1])
    spool.done(first[2])
    assert adopted(spool) == [([b"4"], 1), ([b"5"], 1)]
    assert spool.beyond == 2 * size


def test_of_large_files_fewer_are_taken_over_at_a_time(spool, monkeypatch):
    monkeypatch.setattr(spools, "_ADOPTED_BYTES", 5000)
    for _ in range(4):
        one = Spool(spool.folder.parent, URL, "Default")
        one.append(b"x" * 3000 + b"\n")
        one.close()
    assert len(adopted(spool)) == 2


def test_a_file_is_not_deleted_while_it_is_being_looked_through(spool, monkeypatch):
    monkeypatch.setattr(spools, "_PLACE_BYTES", 10)
    left_behind(spool, "12345678\n", "x" * 30 + "\n", "y\n", "torn")
    read = []
    for place, count, _ in spool.adopt():
        read.append((place.read(), count))
        spool.done(place)  # the sender may be that fast
    assert read == [([b"12345678"], 1), ([b"x" * 30, b"y"], 2)]
    assert files(spool) == []


def test_a_file_that_is_not_ours_is_not_read(spool, monkeypatch):
    left_behind(spool, "1\n")
    [file] = files(spool)
    with file.open("r+b") as one:
        one.write(b"other")
        one.truncate(1 << 40)
    assert adopted(spool) == []
    assert files(spool) == [file]


def test_what_was_refused_does_not_grow_for_ever(spool, monkeypatch):
    monkeypatch.setattr(spools, "_REJECTED_BYTES", 1000)
    for number in range(200):
        path = spool.reject([b"%d" % number], "no")
    kept = [one.read_text() for one in sorted(spool.folder.iterdir())]
    assert len(kept) == 2
    assert max(map(len, kept)) < 1100
    assert json.loads(path.read_text().splitlines()[-1]) == {"reason": "no", "record": 199}
