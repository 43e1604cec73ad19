"""What program a trace comes from, as MLflow's client says it: the user, the script, its commit.

Read from files, without Git; what is not known is empty.
"""

from __future__ import annotations

import functools
import getpass
import sys
from pathlib import Path
from typing import Final

from ollamatrace.settings import Access, without_credentials

_REMOTE: Final = "[remote "
_MAX_BYTES: Final = 10 * 1024 * 1024


@functools.cache
def source() -> dict[str, str]:
    """The metadata that every trace of this process has; found out once."""
    script = sys.argv[0] if sys.argv else ""
    commit, branch, url = _repository(Path(script).parent if script else Path())
    return {
        "mlflow.user": Access.read().username or _user(),
        "mlflow.source.name": script or "<console>",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": branch,
        "mlflow.source.git.repoURL": url,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # an id without a name, in a container
        return "unknown"


def _repository(folder: Path) -> tuple[str, str, str]:
    """Commit, branch and address of the repository that `folder` is in."""
    try:
        own = _git_folder(folder.resolve())
        if own is None:
            return "", "", ""
        common = own
        if link := _read(own / "commondir"):  # of another worktree
            common = own / link
        branch, commit = "", _read(own / "HEAD")
        if commit.startswith("ref:"):
            reference = commit.removeprefix("ref:").strip()
            branch = reference.removeprefix("refs/heads/")
            commit = _read(common / reference) or _packed(common, reference)
        return commit, branch, _address(common)
    except (OSError, ValueError, RuntimeError):
        return "", "", ""


def _git_folder(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        found = place / ".git"
        if found.is_dir():
            return found
        if found.is_file():  # a worktree or a submodule says where its folder is
            return place / _read(found).removeprefix("gitdir:").strip()
    return None


def _read(file: Path) -> str:
    if not file.is_file() or file.stat().st_size > _MAX_BYTES:
        return ""
    return file.read_text("utf-8", "replace").strip()


def _packed(folder: Path, reference: str) -> str:
    for line in _read(folder / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == reference:
            return commit
    return ""


def _address(folder: Path) -> str:
    """The address of the first remote, without credentials."""
    in_remote = False
    for line in _read(folder / "config").splitlines():
        text = line.strip()
        if text.startswith("["):
            in_remote = text.startswith(_REMOTE)
        elif in_remote and text.partition("=")[0].strip() == "url":
            address = text.partition("=")[2].strip().strip('"')
            # git@host:path names no secret.
            return without_credentials(address) if "://" in address else address
    return ""
