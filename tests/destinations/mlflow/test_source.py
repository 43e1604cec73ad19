"""Which program a trace says that it comes from."""

from __future__ import annotations

import getpass
import sys

import pytest

from ollamatrace.destinations.mlflow.source import source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def anew(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.mlflow/credentials
    source.cache_clear()
    yield
    source.cache_clear()


@pytest.fixture
def script(monkeypatch, tmp_path):
    """A script two folders below a repository."""
    file = tmp_path / "repo" / "a" / "app.py"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(sys, "argv", [str(file)])
    return file


def write(folder, **files):
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_", "-")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def git():
    return [source()[f"mlflow.source.git.{name}"] for name in ("commit", "branch", "repoURL")]


def test_outside_of_a_repository(script, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    assert source() == {
        "mlflow.user": "me",
        "mlflow.source.name": str(script),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": "",
        "mlflow.source.git.branch": "",
        "mlflow.source.git.repoURL": "",
    }
    assert source() is source()


def test_in_a_console(monkeypatch):
    monkeypatch.setattr(sys, "argv", [""])
    assert source()["mlflow.source.name"] == "<console>"


def test_the_user_of_the_server(script, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "alice")
    assert source()["mlflow.user"] == "alice"


def test_a_user_without_a_name(script, monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert source()["mlflow.user"] == "unknown"


CONFIG = """
[core]
\tbare = false
[remote "origin"]
\turl = https://me:secret@example.org:8080/team/repo.git
\tfetch = x
[remote "other"]
\turl = https://example.org/other
[branch "main"]
\tremote = origin
"""


def test_a_branch(script):
    folder = script.parents[1] / ".git"
    write(folder, HEAD="ref: refs/heads/feature/x\n", config=CONFIG)
    write(folder, refs__heads__feature__x=COMMIT + "\n")
    assert git() == [COMMIT, "feature/x", "https://example.org:8080/team/repo.git"]


def test_packed_references(script):
    folder = script.parents[1] / ".git"
    packed = f"# pack-refs\n{'1' * 40} refs/heads/other\n{COMMIT} refs/heads/main\n^{'2' * 40}\n"
    write(folder, HEAD="ref: refs/heads/main\n", packed_refs=packed)
    assert git() == [COMMIT, "main", ""]


def test_no_branch(script):
    write(script.parents[1] / ".git", HEAD=COMMIT + "\n")
    assert git() == [COMMIT, "", ""]


def test_before_the_first_commit(script):
    write(script.parents[1] / ".git", HEAD="ref: refs/heads/main\n")
    assert git() == ["", "main", ""]


def test_another_worktree(script, tmp_path):
    main = tmp_path / "main" / ".git"
    write(main, config=CONFIG.replace("https://me:secret@example.org:8080/", "git@example.org:"))
    write(main, refs__heads__main=COMMIT)
    write(main / "worktrees" / "w", HEAD="ref: refs/heads/main", commondir="../..\n")
    (script.parents[1] / ".git").write_text(f"gitdir: {main}/worktrees/w\n")
    assert git() == [COMMIT, "main", "git@example.org:team/repo.git"]


def test_a_broken_repository(script):
    folder = script.parents[1] / ".git"
    folder.mkdir()
    assert git() == ["", "", ""]
