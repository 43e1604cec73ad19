"""`ollamatrace rm` as a user runs it."""

import json

import pytest

A = "a" * 32
B = "a" * 9 + "b" * 23
C = "c" * 32
D = "d" * 32


@pytest.fixture
def filled(fill, make):
    fill(
        make.chat(A, 1, asked="of A"),
        make.chat(B, 1, asked="of B"),
        make.chat(C, 1, asked="of C", session="s"),
        make.chat(D, 1, asked="of D", session="s"),
    )


def ids(run, path):
    done = run("ls", "--store", path, "--json")
    return {json.loads(line)["trace_id"] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ([C], {A, B, D}),
        (["C"], {A, B, D}),
        ([f"tr-{A}", "cc"], {B, D}),
        (["c", "c", C], {A, B, D}),
        (["--session", "s", "--yes"], {A, B}),
        (["--all", "-y"], set()),
    ],
)
def test_what_is_named_goes_for_good(run, path, filled, arguments, left):
    done = run("rm", *arguments, "--store", path)
    assert (done.returncode, done.stderr) == (0, "")
    count = 4 - len(left)
    assert done.stdout.startswith(f"Deleted {count} trace{'s' * (count > 1)}; ")
    assert ids(run, path) == left
    kept = b"".join(one.read_bytes() for one in path.parent.glob("store.db*"))
    for trace_id, letter in zip((A, B, C, D), "ABCD", strict=True):
        assert (f"of {letter}".encode() in kept) == (trace_id in left)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([C, A[:9]], "several traces begin with"),
        ([C, "f00d"], "no trace f00d"),
        ([C, "xyz"], "32 hex digits"),
        (["--session", "none", "--yes"], "no traces of the session none"),
        (["--session", "s"], "add --yes to delete 2 traces"),
        (["--all"], "add --yes to delete 4 traces"),
        ([], "name traces, or --session ID, or --all"),
        ([C, "--all", "--yes"], "name traces, or --session ID, or --all"),
    ],
)
def test_a_mistake_deletes_nothing(run, path, filled, arguments, said):
    done = run("rm", *arguments, "--store", path, input="")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert ids(run, path) == {A, B, C, D}


def test_without_a_store_nothing_is_made(run, path):
    done = run("rm", "--all", "--yes", "--store", path)
    assert done.returncode == 1
    assert "no traces in" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize(("answer", "left"), [("n", {A, B, C, D}), ("y", {A, B})])
def test_on_a_terminal_it_asks(run, environ, path, filled, answer, left):
    import os
    import pty
    import subprocess
    import sys

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ollamatrace", "rm", "--session", "s", "--store", str(path)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        out, errors = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert b"Delete 2 traces from" in errors + out
    assert process.returncode == (answer == "n")
    assert ids(run, path) == left
