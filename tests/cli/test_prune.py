"""`ollamatrace prune` as a user runs it."""

import json
import time

import pytest

DAY = 86_400


@pytest.fixture
def aged(fill, make, path):
    """Traces that ended so many days ago, of 20 kB each; their ids begin with the number."""

    def add(*days):
        from tests.cli.conftest import BEGAN, NS

        for number, ago in enumerate(days):
            start = time.time() - ago * DAY - BEGAN / NS - 2
            text = f"said {number} " + "word " * 4000
            fill(make.chat(f"{number:x}" + "a" * 31, 1, start=start, said=text))

    return add


def ids(run, path):
    done = run("ls", "--store", path, "--json", "--limit", 999)
    return sorted(json.loads(line)["trace_id"][0] for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--older-than", "2d"], ["0", "1"]),
        (["--older-than", "1W"], ["0", "1", "2"]),
        (["--keep", "1"], ["0"]),
        (["--keep", "3", "--older-than", "2d"], ["0", "1"]),
        (["--keep", "9"], ["0", "1", "2", "3"]),
        (["--max-size", "1GB"], ["0", "1", "2", "3"]),
        ([], ["0", "1", "2", "3"]),
    ],
)
def test_what_is_beyond_a_limit_goes(run, path, aged, options, left):
    aged(0, 1, 5, 40)
    tried = run("prune", "--store", path, *options, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    gone = 4 - len(left)
    count = "1 trace" if gone == 1 else f"{gone} traces"
    assert f"Would delete {count}, about" in tried.stdout
    assert len(ids(run, path)) == 4
    done = run("prune", "--store", path, *options)
    assert done.returncode == 0, done.stderr
    assert f"Deleted {count};" in done.stdout
    assert ids(run, path) == left
    assert done.stderr == ""


def test_the_size_and_the_json(run, path, aged):
    aged(*([1] * 15 + [2] * 200))
    before = path.stat().st_size
    tried = json.loads(
        run("prune", "--store", path, "--max-size", "2MB", "--dry-run", "--json").stdout
    )
    done = json.loads(run("prune", "--store", path, "--max-size", "2MB", "--json").stdout)
    assert (tried["dry_run"], done["dry_run"]) == (True, False)
    assert tried["traces"] == pytest.approx(done["traces"], rel=0.1)
    assert tried["freed_bytes"] == pytest.approx(done["freed_bytes"], rel=0.15)
    assert done["size_bytes"] == path.stat().st_size <= 2_000_000
    assert before > 2_500_000
    assert len(ids(run, path)) == 215 - done["traces"] > 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--older-than", "soon"], "--older-than takes 12h, 30d or 8w"),
        (["--older-than", "0d"], "--older-than takes"),
        (["--max-size", "much"], "--max-size takes 500MB"),
        (["--max-size", "10"], "`ollamatrace rm --all`"),
        (["--keep", "0"], "--keep takes 1 or more"),
    ],
)
def test_nonsense_is_refused_in_one_line(run, path, aged, options, said):
    aged(1)
    done = run("prune", "--store", path, *options)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert ids(run, path) == ["0"]


def test_without_a_store_nothing_is_made(run, path):
    done = run("prune", "--store", path)
    assert done.returncode == 0
    assert "Deleted 0 traces" in done.stdout
    assert not path.exists()


def test_pruned_text_is_gone(run, path, aged):
    aged(0, 9)
    run("ls", "--store", path, "--text", "said 1")
    assert run("prune", "--store", path, "--keep", 1).returncode == 0
    assert not any(b"said 1 word" in one.read_bytes() for one in path.parent.glob("store.db*"))
    assert any(b"said 0 word" in one.read_bytes() for one in path.parent.glob("store.db*"))
